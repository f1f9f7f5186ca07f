"""Rows of CSV and JSON lines, each with its line number. Parsing only, no files."""

from __future__ import annotations

import codecs
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, NoReturn

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """A row: the line it begins on, counted from 1, and its JSON value."""

    line: int
    value: Any


class BadRow(NamedTuple):
    """A row that cannot be used: the line it begins on, and the reason."""

    line: int
    why: str


def looks_like_json(first: bytes) -> bool:
    """Whether an input is JSON lines rather than CSV, by its first line that is not blank."""
    text = first.removeprefix(codecs.BOM_UTF8).strip()
    if text[:1] in (b"{", b"["):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def read_json_lines(lines: Iterable[bytes]) -> Iterator[Row | BadRow]:
    """Parse JSON lines. Blank lines are skipped."""
    bad: list[BadRow] = []
    for number, text in enumerate(_decoded(lines, bad), 1):
        if bad:
            yield bad.pop()
        elif text.strip():
            try:
                yield Row(number, _json(text.rstrip("\r\n")))
            except (ValueError, RecursionError) as error:
                yield BadRow(number, f"not JSON: {_reason(error)}")


def read_csv(lines: Iterable[bytes]) -> Iterator[Row | BadRow]:
    """Parse a CSV with a header into objects whose values are text. Blank lines are skipped."""
    # A cell may hold a whole document.
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
            problem = _csv_reason(error)
        if bad:
            yield from bad
            bad.clear()
            if columns is None:
                return
            continue
        if not cells and not problem:
            continue
        if columns is None:
            problem = problem or _header_problem(cells)
            if problem:
                yield BadRow(line, problem)
                return
            columns = cells
            continue
        problem = problem or _cells_problem(cells, columns)
        yield (
            BadRow(line, problem) if problem else Row(line, dict(zip(columns, cells, strict=True)))
        )
    if columns is None:
        yield BadRow(1, "the header with the column names is missing")


def _decoded(lines: Iterable[bytes], bad: list[BadRow]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith(_UTF_16):
            bad.append(BadRow(1, "the text is UTF-16; save it as UTF-8"))
            yield ""
            return
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        try:
            yield text.decode()
        except UnicodeDecodeError as error:
            byte = text[error.start]
            bad.append(BadRow(number, f"not UTF-8 (byte 0x{byte:02x}); save the text as UTF-8"))
            yield text.decode(errors="replace")


def _json(text: str) -> Any:
    value = json.loads(text, parse_constant=_refuse_constant)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "half a character (a lone surrogate)"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _csv_reason(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "the quote that opens here is never closed"
    return f"not CSV: {error}"


def _header_problem(columns: list[str]) -> str | None:
    for number, name in enumerate(columns, 1):
        if not name.strip():
            return f"column {number} has no name"
        if name in columns[: number - 1]:
            return f"two columns are named {name!r}"
    return None


def _cells_problem(cells: list[str], columns: list[str]) -> str | None:
    if len(cells) != len(columns):
        cell = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        column = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        return f"{cell}, but the header has {column}"
    return None if any(cell.strip() for cell in cells) else "all cells are empty"
