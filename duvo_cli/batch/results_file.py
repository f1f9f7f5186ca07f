"""A file of results: a JSON object a line, each written once, whatever kills the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_BEGIN = b'{"index": '


class ResultsFile:
    """Appends results to a file that may have some.

    A last line that an earlier kill has torn is cut off before the first
    result is written; until then the file stays as it is.

    Args:
        name: the file; made where it is missing.

    Raises:
        CommandFailed: it cannot be written, or holds something else.
    """

    def __init__(self, name: str):
        self._name = name
        self._runs: set[str] = set()
        self._mend_at: int | None = None
        self._is_open_ended = False
        file = Path(name)
        if file.is_file():
            self._read(file)
        try:
            self._file: BinaryIO = file.open("ab", buffering=0)
        except OSError as error:
            raise CommandFailed(f"cannot write {name!r}: {error.strerror}") from None

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def has(self, run_id: str) -> bool:
        """Whether the result of this run stands in it."""
        return run_id in self._runs

    def write(self, run_id: str, result: dict[str, Any]) -> None:
        """Append a result; it has reached the system when this returns."""
        self._mend()
        # A lone surrogate becomes \\udXXX, which is what JSON calls it.
        line = json.dumps(result, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        while line:
            line = line[self._file.write(line) :]
        self._runs.add(run_id)

    def _mend(self) -> None:
        if self._mend_at is not None:
            os.truncate(self._name, self._mend_at)
            self._mend_at = None
        if self._is_open_ended:
            self._file.write(b"\n")
            self._is_open_ended = False

    def _read(self, file: Path) -> None:
        try:
            with file.open("rb") as lines:
                self._read_lines(lines)
        except OSError as error:
            raise CommandFailed(f"cannot read {self._name!r}: {error.strerror}") from None

    def _read_lines(self, lines: BinaryIO) -> None:
        at = 0
        for number, line in enumerate(lines, 1):
            run_id = _run_in(line)
            if run_id is not None:
                self._runs.add(run_id)
                self._is_open_ended = not line.endswith(b"\n")
            elif not line.endswith(b"\n") and _is_torn(line):
                self._mend_at = at
            elif line.strip():
                raise CommandFailed(
                    f"{self._name!r} is no file of results (line {number}); give another --output"
                )
            at += len(line)


def _run_in(line: bytes) -> str | None:
    try:
        run_id = json.loads(line)["run"]["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return run_id if isinstance(run_id, str) else None


def _is_torn(line: bytes) -> bool:
    return line.startswith(_BEGIN) or _BEGIN.startswith(line)
