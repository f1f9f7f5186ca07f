"""Whether each row of an input can be used, before anything is done with the first."""

from __future__ import annotations

from ..errors import CommandFailed
from ..output import terminal
from .rows import BadRow
from .start_message import Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .rows import Row
    from .source import RowInput
    from .start_message import Key, StartMessage

_MOST_TOLD = 20


def check(source: RowInput, message: StartMessage, key: Key | None) -> int:
    """How many runs the rows make.

    Args:
        source: the rows.
        message: makes each one's message.
        key: makes each one's key; of several rows with the same one, the first alone has a run.

    Raises:
        CommandFailed: some rows are bad; up to twenty are told with their lines.
    """
    good = 0
    bad: list[BadRow] = []
    count_of_bad = 0
    keys: set[str] = set()
    for row in source.rows():
        problem = row if isinstance(row, BadRow) else _problem(row, message, key, keys)
        if problem is None:
            good += 1
            continue
        count_of_bad += 1
        if len(bad) < _MOST_TOLD:
            bad.append(problem)
    if bad:
        raise _failure(source.name, bad, count_of_bad)
    if key is None or good == len(keys):
        return good
    terminal.say(
        f"{good - len(keys)} of {good} rows have the key of an earlier one, and get no run "
        "of their own"
    )
    return len(keys)


def _problem(row: Row, message: StartMessage, key: Key | None, keys: set[str]) -> BadRow | None:
    try:
        message(row.value)
        if key is not None:
            keys.add(key(row.value))
    except Unfit as why:
        return BadRow(row.line, str(why))
    return None


def _failure(name: str, bad: list[BadRow], count: int) -> CommandFailed:
    if count == 1:
        return CommandFailed(f"{name}, line {bad[0].line}: {bad[0].why}; nothing was started")
    # A column that is misspelt is missing in each row.
    lines: dict[str, list[str]] = {}
    for one in bad:
        lines.setdefault(one.why, []).append(str(one.line))
    for why, (*most, last) in lines.items():
        where = f"lines {', '.join(most)} and {last}" if most else f"line {last}"
        terminal.say(f"{name}, {where}: {why}")
    more = f" ({count - len(bad)} of them are not shown)" if count > len(bad) else ""
    return CommandFailed(f"{count} rows of {name} are bad{more}; nothing was started")
