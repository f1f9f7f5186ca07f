"""Rows of CSV. Parsing only, no files."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence

from .rows import BadRow, Row, decoded


def read_csv(
    lines: Iterable[str], delimiter: str = ",", encoding: str = "UTF-8"
) -> Iterator[Row | BadRow]:
    """Parse a CSV with a header into objects whose values are text.

    Blank lines are skipped. So is what spreadsheets leave around a table: empty
    rows before and after it, and empty columns without a name.
    """
    records = _records(lines, delimiter, encoding)
    for line, header in records:
        if not isinstance(header, str) and not _is_empty(header):
            break
        if isinstance(header, str):
            yield BadRow(line, header)
            return
    else:
        yield BadRow(1, "the header with the column names is missing")
        return
    columns = _cut(header, 0)
    problem = _header_problem(columns)
    if problem:
        yield BadRow(line, problem)
        return
    nameless = [number for number, name in enumerate(columns) if not name.strip()]
    empty: list[int] = []
    for number, cells in records:
        if isinstance(cells, str):
            yield BadRow(number, cells)
            continue
        if _is_empty(cells):
            # Bad only if a row follows: the table may end here.
            empty.append(number)
            continue
        yield from (BadRow(above, "all cells are empty") for above in empty)
        empty.clear()
        if any(cells[column].strip() for column in nameless if column < len(cells)):
            yield BadRow(line, f"column {nameless[0] + 1} has no name")
            return
        yield _row(number, _cut(cells, len(columns)), columns)


def _records(
    lines: Iterable[str], delimiter: str, encoding: str
) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each record that is not a blank line: its line, and its cells or why it is bad."""
    # A cell may hold a whole document.
    csv.field_size_limit(sys.maxsize)
    bad: list[BadRow] = []
    reader = csv.reader(decoded(lines, encoding, bad), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            record = _csv_reason(error)
        if bad:
            yield from bad
            bad.clear()
        elif record:
            yield line, record


def _row(line: int, cells: list[str], columns: list[str]) -> Row | BadRow:
    if len(cells) != len(columns):
        cell = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        column = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        return BadRow(line, f"{cell}, but the header has {column}")
    return Row(
        line, {name: cell for name, cell in zip(columns, cells, strict=True) if name.strip()}
    )


def _is_empty(cells: Sequence[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _cut(cells: list[str], least: int) -> list[str]:
    """The cells without empty ones at the end, but at least this many."""
    end = len(cells)
    while end > least and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _csv_reason(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "the quote that opens here is never closed"
    return f"not CSV: {error}"


def _header_problem(columns: list[str]) -> str | None:
    for number, name in enumerate(columns):
        if name.strip() and name in columns[:number]:
            return f"two columns are named {name!r}"
    return None
