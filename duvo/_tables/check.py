"""Checking all rows of a table before the first is used."""

from __future__ import annotations

from typing import NamedTuple

from .._errors import ConfigError
from .rows import BadRow
from .start_message import UnusableRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rows import Row
    from .start_message import Key, StartMessage
    from .table import Table

_MOST_SHOWN = 20


class BadRows(ConfigError):
    """Rows of a table that cannot be used.

    Attributes:
        details: a line of text for each reason, with its lines in the table;
            empty if the error's text is complete.
    """

    def __init__(self, message: str, *, details: Sequence[str] = ()):
        super().__init__(message)
        self.details = tuple(details)


class Counts(NamedTuple):
    """The number of rows, and of runs for them: rows with the same key share a run."""

    rows: int
    runs: int


def check(table: Table, message: StartMessage, key: Key | None = None) -> Counts:
    """Check that every row can be read, and has a message and a key.

    Args:
        table: the rows.
        message: makes the message of a row.
        key: makes the key of a row.

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
    return Counts(good, good if key is None else len(keys))


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
    # A misspelt column is missing from every row: list each reason once.
    lines: dict[str, list[str]] = {}
    for row in bad:
        lines.setdefault(row.why, []).append(str(row.line))
    details = []
    for why, (*most, last) in lines.items():
        where = f"lines {', '.join(most)} and {last}" if most else f"line {last}"
        details.append(f"{name}, {where}: {why}")
    more = f" ({count - len(bad)} of them are not shown)" if count > len(bad) else ""
    return BadRows(f"{count} rows of {name} cannot be used{more}", details=details)
