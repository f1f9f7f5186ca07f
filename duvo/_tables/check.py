"""Checks all rows of a table before anything is done with the first."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import ConfigError
from .rows import BadRow, Row
from .start_message import Key, StartMessage, UnusableRow
from .table import Table

_MOST_SHOWN = 20


class BadRows(ConfigError):
    """Rows of a table that cannot be used.

    Attributes:
        details: a line for each reason, with the lines or rows of the table it
            applies to; empty when the error's text says it all.
    """

    def __init__(self, message: str, *, details: Sequence[str] = ()):
        super().__init__(message)
        self.details = tuple(details)


def check(table: Table, message: StartMessage, key: Key | None = None) -> tuple[int, int]:
    """Check that every row can be read, and has a message and a key.

    Returns:
        The number of rows, and of runs for them: rows with the same key share one.

    Raises:
        BadRows: some rows cannot be used; the first twenty are listed.
    """
    good = count_of_bad = last_line = 0
    bad: list[tuple[int, BadRow]] = []
    keys: set[str] = set()
    place = "line"
    for number, row in enumerate(table.rows(), 1):
        if row.line == last_line:
            # Several rows are on one line, whose number would not tell them apart.
            place = "row"
        last_line = row.line
        problem = row if isinstance(row, BadRow) else _problem(row, message, key, keys)
        if problem is None:
            good += 1
            continue
        count_of_bad += 1
        if len(bad) < _MOST_SHOWN:
            bad.append((number, problem))
    if bad:
        at = [(row.line if place == "line" else number, row.why) for number, row in bad]
        raise _failure(table.name, place, at, count_of_bad)
    return good, good if key is None else len(keys)


def _problem(row: Row, message: StartMessage, key: Key | None, keys: set[str]) -> BadRow | None:
    try:
        message(row.value)
        if key is not None:
            keys.add(key(row.value))
    except UnusableRow as error:
        return BadRow(row.line, str(error))
    return None


def _failure(name: str, place: str, bad: list[tuple[int, str]], count: int) -> BadRows:
    """The error for bad rows, each with the number of its line or row, and why it is bad."""
    if count == 1:
        ((number, why),) = bad
        return BadRows(f"{name}, {place} {number}: {why}")
    # A misspelt column is missing in every row: each reason is given once.
    numbers: dict[str, list[str]] = {}
    for number, why in bad:
        numbers.setdefault(why, []).append(str(number))
    details = []
    for why, (*most, last) in numbers.items():
        where = f"{place}s {', '.join(most)} and {last}" if most else f"{place} {last}"
        details.append(f"{name}, {where}: {why}")
    more = f" ({count - len(bad)} of them are not shown)" if count > len(bad) else ""
    return BadRows(f"{count} rows of {name} cannot be used{more}", details=details)
