"""A CSV or JSON lines input that can be read repeatedly: a file, a pipe or a stream."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from .._errors import ConfigError
from .csv_rows import read_csv
from .json_rows import read_json_lines, read_values
from .rows import BadRow, Row
from .table_format import Format, recognise

_PLAIN = {
    ".csv": Format("csv"),
    ".jsonl": Format("json lines"),
    ".ndjson": Format("json lines"),
    ".json": Format("array"),
}
_SAMPLE = 256 * 1024
"""Bytes by which the format is recognised."""


class Table:
    """The rows of a CSV or JSON lines input.

    Args:
        path: a file, or a pipe, whose content is copied to a temporary file.
        stream: read in place of a file, and copied too; `path` is then only its name.
        columns: columns that it must have.
        delimiter: of a CSV; None: by its content.

    Attributes:
        format: how it is read.
        name: the name for messages.
        file: the file, or None when the input was copied.
    """

    def __init__(
        self,
        path: str,
        stream: BinaryIO | None = None,
        *,
        columns: Collection[str] = (),
        delimiter: str | None = None,
    ):
        self.name = path
        self.file = Path(path) if stream is None and Path(path).is_file() else None
        self._copy: IO[bytes] | None = None
        self._moving = threading.Lock()
        with contextlib.ExitStack() as on_failure:
            if self.file is None:
                self._copy = on_failure.enter_context(tempfile.TemporaryFile())
                with contextlib.nullcontext(stream) if stream else self._open_file() as source:
                    shutil.copyfileobj(source, self._copy)
                self._copy.flush()
            self.format = self._recognised(columns, delimiter)
            on_failure.pop_all()

    @property
    def is_plain(self) -> bool:
        """Whether the format is the one that the name suggests."""
        suffix = Path(self.name).suffix.lower()
        return self.format == _PLAIN.get(suffix)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()

    def rows(self) -> Iterator[Row | BadRow]:
        """Read all rows, from the first."""
        kind, encoding, delimiter, names_delimiter, newline = self.format
        errors, codec = ("surrogateescape", "utf-8-sig")
        if encoding == "UTF-16":
            errors, codec = ("replace", "utf-16")
        with io.TextIOWrapper(self._open(), codec, errors, newline) as lines:
            if kind == "json lines":
                yield from read_json_lines(lines, encoding)
            elif kind == "csv":
                rest = chain([""], islice(lines, 1, None)) if names_delimiter else lines
                yield from read_csv(rest, delimiter, encoding)
            else:
                yield from read_values(lines, encoding, is_array=kind == "array")

    def values(self) -> Iterator[Any]:
        """Read the values of all rows, which `check` has accepted."""
        for row in self.rows():
            if isinstance(row, BadRow):
                raise ConfigError(
                    f"{self.name}, line {row.line}: {row.why}; "
                    "the file has changed since it was checked"
                )
            yield row.value

    def _recognised(self, columns: Collection[str], delimiter: str | None) -> Format:
        with self._open() as content:
            sample = content.read(_SAMPLE)
            is_whole = not content.read(1)
        try:
            suffix = Path(self.name).suffix.lower()
            return recognise(sample, suffix, columns, is_whole=is_whole, delimiter=delimiter)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None

    def _open(self) -> BinaryIO:
        if self._copy is None:
            return self._open_file()
        return io.BufferedReader(_FromTheStart(self._copy.fileno(), self._moving))

    def _open_file(self) -> BinaryIO:
        try:
            return Path(self.name).open("rb")
        except OSError as error:
            raise ConfigError(f"cannot read {self.name!r}: {error.strerror}") from None


class _FromTheStart(io.RawIOBase):
    """Reads an open file from a position of its own; `moving` is held while it sets the file's."""

    def __init__(self, descriptor: int, moving: threading.Lock):
        self._descriptor = descriptor
        self._moving = moving
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # In place of os.pread, which Windows lacks.
        with self._moving:
            os.lseek(self._descriptor, self._at, os.SEEK_SET)
            piece = os.read(self._descriptor, len(buffer))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
