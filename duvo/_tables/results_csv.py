"""A CSV of inputs and their results, in the order of the inputs, written whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO

from .._errors import ConfigError
from .numbers import as_json

_INPUT = "input"
"""The column of inputs that are not objects."""

_HEADER = re.compile(rb"status(.)(?:duvo_)*answer\1(?:duvo_)*failure\1(?:duvo_)*run_id\r?$", re.M)
_SAMPLE = 64 * 1024


class Outcome(NamedTuple):
    """The outcome of an input: a status, and more once its run has ended."""

    status: str
    answer: str | None = ""
    failure: str | None = ""
    run_id: str = ""


def check_csv(path: str) -> None:
    """Check that a CSV of results can be written, without replacing anything but such a file."""
    file = Path(path).resolve()
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
        if not file.exists():
            return
        with file.open("r+b") as content:
            sample = content.read(_SAMPLE)
    except OSError as error:
        raise ConfigError(f"cannot write {path!r}: {error.strerror}") from None
    if sample.strip() and not _HEADER.search(sample):
        raise ConfigError(f"{path!r} is not a results file; use another file")


def write_csv(
    path: str | os.PathLike[str], results: Iterable[tuple[Any, Outcome]], delimiter: str = ","
) -> None:
    """Write inputs and their outcomes; until all are written, the file is unchanged.

    The columns are the fields of all inputs, then those of an outcome, which are
    renamed where an input has a field of the same name.
    """
    file = Path(os.path.expanduser(path)).resolve()  # noqa: PTH111
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    # The columns are known at the end. The inputs may be too many for memory.
    with tempfile.TemporaryFile("w+", encoding="ascii") as rows:
        columns = _gather(results, rows)
        rows.seek(0)
        try:
            # A lone surrogate is written as its escape.
            with part.open("x", encoding="utf-8", errors="backslashreplace", newline="") as out:
                _write(out, columns, rows, delimiter)
            if file.exists():
                shutil.copymode(file, part)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def _gather(results: Iterable[tuple[Any, Outcome]], rows: IO[str]) -> list[str]:
    """Write rows as JSON; return the columns, to which later rows may have added."""
    columns: dict[str, None] = {}
    for value, outcome in results:
        cells = {name: _cell(field) for name, field in input_fields(value).items()}
        columns.update(dict.fromkeys(cells))
        rows.write(json.dumps([[cells.get(name, "") for name in columns], outcome]) + "\n")
    return list(columns)


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return as_json(value)
    except (TypeError, ValueError):
        return str(value)


def _write(out: TextIO, columns: list[str], rows: Iterable[str], delimiter: str) -> None:
    def write(cells: Iterable[str]) -> None:
        out.write(delimiter.join(_quoted(cell, delimiter) for cell in cells) + "\n")

    write([*columns, *names_beside(columns)])
    for row in rows:
        cells, outcome = json.loads(row)
        write([*cells, *[""] * (len(columns) - len(cells)), *outcome])


def _quoted(cell: str, delimiter: str) -> str:
    # As csv.writer does, which before Python 3.11 refuses a NUL.
    if set(cell).isdisjoint({delimiter, '"', "\r", "\n"}):
        return cell
    return '"{}"'.format(cell.replace('"', '""'))


def input_fields(value: Any) -> dict[str, Any]:
    """Return the fields of an input, by the names of their columns."""
    fields = value if isinstance(value, dict) else {_INPUT: value}
    return {str(name): field for name, field in fields.items()}


def names_beside(columns: Collection[str]) -> list[str]:
    """Return the columns of an outcome, renamed where an input has a field of the same name."""
    names = []
    for name in Outcome._fields:
        while name in columns:
            name = f"duvo_{name}"
        names.append(name)
    return names
