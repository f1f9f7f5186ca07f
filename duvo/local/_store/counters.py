"""What transactions did, counted once they are committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

STARTED = "started"
APPENDED = "appended"

_NOTES = "duvo_tally"


def note(connection: sa.Connection, what: str) -> None:
    """Count one thing for the connection's transaction.

    Args:
        what: `STARTED`, `APPENDED`, or the status that a run ended with.
    """
    connection.info.setdefault(_NOTES, Counter())[what] += 1


def on_commit(engine: sa.Engine, tell: Callable[[Counter[str]], None]) -> None:
    """Have what each transaction of the engine did told from now on; called in any thread."""

    def committed(connection: sa.Connection) -> None:
        notes = connection.info.pop(_NOTES, None)
        if notes:
            tell(notes)

    def rolled_back(connection: sa.Connection) -> None:
        connection.info.pop(_NOTES, None)

    listen: Any = sa.event.listen
    listen(engine, "commit", committed)
    listen(engine, "rollback", rolled_back)
