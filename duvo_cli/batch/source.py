"""The input of many runs: a file, or what comes from stdin or a pipe, read as often as it takes."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ..errors import CommandFailed
from . import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from .rows import BadRow, Row

_SUFFIXES = {".csv": False, ".jsonl": True, ".ndjson": True}
"""Whether a file of that name is JSON lines; any other, and stdin, is looked into."""


class RowInput:
    """Where rows come from.

    Args:
        argument: a file's name, or `-` for stdin.

    Attributes:
        name: what to call it.
        file: the file, or None for what can be read only once: stdin or a pipe.

    Raises:
        CommandFailed: it cannot be read.
    """

    def __init__(self, argument: str):
        self.name = "stdin" if argument == "-" else argument
        self.file = Path(argument) if argument != "-" and Path(argument).is_file() else None
        self._kept: BinaryIO | None = None
        if self.file is None:
            with contextlib.ExitStack() as on_failure:
                self._kept = on_failure.enter_context(tempfile.TemporaryFile())
                self._keep(argument, self._kept)
                on_failure.pop_all()
        with self._open() as lines:
            self._is_json = _SUFFIXES.get(Path(argument).suffix.lower())
            if self._is_json is None:
                first = next((line for line in lines if line.strip()), b"{")
                self._is_json = rows.looks_like_json(first)

    def __enter__(self) -> RowInput:
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows, from the first one on."""
        with self._open() as lines:
            yield from rows.of_json_lines(lines) if self._is_json else rows.of_csv(lines)

    def values(self) -> Iterator[Any]:
        """The rows' values, once they have been found good.

        Raises:
            CommandFailed: while iterating: they are good no more.
        """
        for row in self.rows():
            if isinstance(row, rows.BadRow):
                where = f"{self.name}, line {row.line}"
                raise CommandFailed(f"{where}: {row.why}; it was changed meanwhile")
            yield row.value

    def _keep(self, argument: str, kept: BinaryIO) -> None:
        if argument != "-":
            with self._file_open(argument) as source:
                shutil.copyfileobj(source, kept)
        elif sys.stdin is None:
            raise CommandFailed("cannot read stdin: it is closed")
        else:
            shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()

    def _open(self) -> BinaryIO:
        if self._kept is None:
            return self._file_open(self.name)
        return io.BufferedReader(_FromTheStart(self._kept.fileno()))

    def _file_open(self, name: str) -> BinaryIO:
        try:
            return Path(name).open("rb")
        except OSError as error:
            raise CommandFailed(f"cannot read {name!r}: {error.strerror}") from None


class _FromTheStart(io.RawIOBase):
    """Reads a file that has no name, at a place of its own."""

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
