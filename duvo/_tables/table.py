"""A CSV or JSON lines input that can be read repeatedly: a file, a pipe or a stream."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .._errors import ConfigError
from . import rows
from .rows import BadRow, Row

_IS_JSON = {".csv": False, ".jsonl": True, ".ndjson": True}
"""Formats by file suffix; any other input is recognised by its first line."""


class Table:
    """The rows of a CSV or JSON lines input.

    Args:
        path: a file, or a pipe, whose content is copied to a temporary file.
        stream: read in place of a file, and copied too; `path` is then only its name.

    Attributes:
        name: the name for messages.
        file: the file, or None when the input was copied.
    """

    def __init__(self, path: str, stream: BinaryIO | None = None):
        self.name = path
        self.file = Path(path) if stream is None and Path(path).is_file() else None
        self._copy: BinaryIO | None = None
        if self.file is None:
            with contextlib.ExitStack() as on_failure:
                self._copy = on_failure.enter_context(tempfile.TemporaryFile())
                with contextlib.nullcontext(stream) if stream else self._open_file() as source:
                    shutil.copyfileobj(source, self._copy)
                self._copy.flush()
                on_failure.pop_all()
        with self._open() as lines:
            self._is_json = _IS_JSON.get(Path(path).suffix.lower())
            if self._is_json is None:
                first = next((line for line in lines if line.strip()), b"{")
                self._is_json = rows.looks_like_json(first)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()

    def rows(self) -> Iterator[Row | BadRow]:
        """Read all rows, from the first."""
        with self._open() as lines:
            yield from rows.read_json_lines(lines) if self._is_json else rows.read_csv(lines)

    def values(self) -> Iterator[Any]:
        """Read the values of all rows, which `check` has accepted."""
        for row in self.rows():
            if isinstance(row, BadRow):
                raise ConfigError(
                    f"{self.name}, line {row.line}: {row.why}; "
                    "the file has changed since it was checked"
                )
            yield row.value

    def _open(self) -> BinaryIO:
        if self._copy is None:
            return self._open_file()
        return io.BufferedReader(_FromTheStart(self._copy.fileno()))

    def _open_file(self) -> BinaryIO:
        try:
            return Path(self.name).open("rb")
        except OSError as error:
            raise ConfigError(f"cannot read {self.name!r}: {error.strerror}") from None


class _FromTheStart(io.RawIOBase):
    """Reads an open file with a position of its own."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = os.pread(self._descriptor, len(buffer), self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
