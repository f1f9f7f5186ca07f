"""A file of results as JSON lines, to which each is written once, even across kills."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from .._errors import ConfigError
from . import numbers

_START = b'{"index": '


class ResultsFile:
    """Appends results to a file, which is created if missing and may already hold some.

    A last line that a kill has cut short is removed before the first result is
    written; until then the file is unchanged.
    """

    def __init__(self, path: str):
        self._path = path
        self._runs: set[str] = set()
        self._cut_at: int | None = None
        self._lacks_newline = False
        file = Path(path)
        if file.is_file():
            self._read(file)
        try:
            self._file: BinaryIO = file.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(f"cannot write {path!r}: {error.strerror}") from None

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def has(self, run_id: str) -> bool:
        """Whether the file holds the result of this run."""
        return run_id in self._runs

    def write(self, result: dict[str, Any]) -> None:
        """Append a result, whose first key is `index` and whose `run` holds the run's `id`."""
        self._mend()
        # A lone surrogate becomes \\udXXX, its escape in JSON.
        line = numbers.as_json(result).encode("utf-8", "backslashreplace") + b"\n"
        while line:
            line = line[self._file.write(line) :]
        self._runs.add(result["run"]["id"])

    def _mend(self) -> None:
        if self._cut_at is not None:
            os.truncate(self._path, self._cut_at)
            self._cut_at = None
        if self._lacks_newline:
            self._file.write(b"\n")
            self._lacks_newline = False

    def _read(self, file: Path) -> None:
        try:
            with file.open("rb") as lines:
                self._read_lines(lines)
        except OSError as error:
            raise ConfigError(f"cannot read {self._path!r}: {error.strerror}") from None

    def _read_lines(self, lines: BinaryIO) -> None:
        at = 0
        for number, line in enumerate(lines, 1):
            run_id = _run_id_in(line)
            if run_id is not None:
                self._runs.add(run_id)
                self._lacks_newline = not line.endswith(b"\n")
            elif not line.endswith(b"\n") and _is_cut_short(line):
                self._cut_at = at
            elif line.strip():
                raise ConfigError(
                    f"{self._path!r} is not a results file (line {number}); use another file"
                )
            at += len(line)


def _run_id_in(line: bytes) -> str | None:
    try:
        run_id = json.loads(line)["run"]["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return run_id if isinstance(run_id, str) else None


def _is_cut_short(line: bytes) -> bool:
    return line.startswith(_START) or _START.startswith(line)
