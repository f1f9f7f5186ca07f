"""Rows of a CSV or of JSON lines, each with the number of its line. Pure but for the reading."""

from __future__ import annotations

import codecs
import csv
import json
import sys
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NoReturn

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """One row: where it begins, counted from 1, and its JSON value."""

    line: int
    value: Any


class BadRow(NamedTuple):
    """One that cannot be read: where it begins, and what is wrong with it."""

    line: int
    why: str


def looks_like_json(start: bytes) -> bool:
    """Whether an input that begins so is JSON lines; it is CSV otherwise.

    Args:
        start: its first line that is not blank.
    """
    text = start.removeprefix(codecs.BOM_UTF8).strip()
    if text[:1] in (b"{", b"["):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def of_json_lines(lines: Iterable[bytes]) -> Iterator[Row | BadRow]:
    """The rows of JSON lines. Blank lines are passed over."""
    bad: list[BadRow] = []
    for number, text in enumerate(_decoded(lines, bad), 1):
        if bad:
            yield bad.pop()
        elif text.strip():
            try:
                yield Row(number, _json(text.rstrip("\r\n")))
            except (ValueError, RecursionError) as error:
                yield BadRow(number, f"it is no JSON: {_told(error)}")


def of_csv(lines: Iterable[bytes]) -> Iterator[Row | BadRow]:
    """The rows of a CSV with a header, as objects of text. Blank lines are passed over."""
    # A cell may well be a whole document.
    csv.field_size_limit(sys.maxsize)
    bad: list[BadRow] = []
    reader = csv.reader(_decoded(lines, bad), strict=True)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        problem = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problem = _told_of_csv(error)
        if bad:
            yield from bad
            bad.clear()
            if columns is None:
                return
            continue
        if columns is None and (cells or problem):
            problem = problem or _wrong_with_header(cells)
            if problem:
                yield BadRow(line, problem)
                return
            columns = cells
        elif columns is not None and (cells or problem):
            problem = problem or _wrong_with_cells(cells, columns)
            if problem:
                yield BadRow(line, problem)
            else:
                yield Row(line, dict(zip(columns, cells, strict=True)))
    if columns is None:
        yield BadRow(1, "there is no header with the names of the columns")


def _decoded(lines: Iterable[bytes], bad: list[BadRow]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith(_UTF_16):
            bad.append(BadRow(1, "it is UTF-16; save it as UTF-8"))
            yield ""
            return
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        try:
            yield text.decode()
        except UnicodeDecodeError as error:
            byte = text[error.start]
            bad.append(BadRow(number, f"it is not UTF-8 (byte 0x{byte:02x}); save it as UTF-8"))
            yield text.decode(errors="replace")


def _json(text: str) -> Any:
    value = json.loads(text, parse_constant=_no_number)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _told(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a character (a lone surrogate)"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _told_of_csv(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote that opens here is never closed"
    return f"it is no CSV: {error}"


def _wrong_with_header(columns: list[str]) -> str | None:
    for number, name in enumerate(columns, 1):
        if not name.strip():
            return f"column {number} has no name"
        if name in columns[: number - 1]:
            return f"two columns are called {name!r}"
    return None


def _wrong_with_cells(cells: list[str], columns: list[str]) -> str | None:
    if len(cells) != len(columns):
        cell = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        column = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        return f"it has {cell}, and the header {column}"
    return None if any(cell.strip() for cell in cells) else "all its cells are empty"
