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
        details: a line for each reason, with the lines of the table it applies
            to; empty when the error's text says it all.
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
    good = count_of_bad = 0
    bad: list[BadRow] = []
    keys: set[str] = set()
    for row in table.rows():
        problem = row if isinstance(row, BadRow) else _problem(row, message, key, keys)
        if problem is None:
            good += 1
            continue
        count_of_bad += 1
        if len(bad) < _MOST_SHOWN:
            bad.append(problem)
    if bad:
        raise _failure(table.name, bad, count_of_bad)
    return good, good if key is None else len(keys)


def _problem(row: Row, message: StartMessage, key: Key | None, keys: set[str]) -> BadRow | None:
    try:
        message(row.value)
        if key is not None:
            keys.add(key(row.value))
    except UnusableRow as error:
        return BadRow(row.line, str(error))
    return None


def _failure(name: str, bad: list[BadRow], count: int) -> BadRows:
    if count == 1:
        return BadRows(f"{name}, line {bad[0].line}: {bad[0].why}")
    # A misspelt column is missing in every row: each reason is given once.
    lines: dict[str, list[str]] = {}
    for row in bad:
        lines.setdefault(row.why, []).append(str(row.line))
    details = []
    for why, (*most, last) in lines.items():
        where = f"lines {', '.join(most)} and {last}" if most else f"line {last}"
        details.append(f"{name}, {where}: {why}")
    more = f" ({count - len(bad)} of them are not shown)" if count > len(bad) else ""
    return BadRows(f"{count} rows of {name} cannot be used{more}", details=details)
