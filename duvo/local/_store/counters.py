"""Counts of what transactions changed, reported once they are committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import sqlalchemy as sa

STARTED = "started"
APPENDED = "appended"

_KEY = "duvo_counters"


def count(connection: sa.Connection, what: str) -> None:
    """Count one `STARTED` or `APPENDED`, or a run's final status, in the current transaction."""
    connection.info.setdefault(_KEY, Counter())[what] += 1


def on_commit(engine: sa.Engine, report: Callable[[Counter[str]], None]) -> None:
    """Report the counts of each committed transaction from now on; called in any thread."""

    @sa.event.listens_for(engine, "commit")
    def committed(connection: sa.Connection) -> None:
        if counts := connection.info.pop(_KEY, None):
            report(counts)

    @sa.event.listens_for(engine, "rollback")
    def rolled_back(connection: sa.Connection) -> None:
        # A lost connection has no counts, and would hide its error behind another one.
        if not connection.invalidated:
            connection.info.pop(_KEY, None)
