"""Every change of a run: one update of its row, and one message."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import sqlalchemy as sa

from . import _schema, _statuses, _tally
from ._entries import Entry

runs = _schema.runs

NOW: Any = object()
"""Stands for the moment of the change, among the values that it sets."""


class TurnEnded(Exception):
    """The run was ended, or resumed in a newer turn; nothing more of this turn is stored."""


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def new_message_id() -> str:
    return str(uuid.uuid4())


def append(
    connection: sa.Connection,
    run_id: str,
    entry: Entry,
    *conditions: sa.ColumnElement[bool],
    message_id: str,
    op: int | None = None,
    **changes: Any,
) -> sa.Row[Any] | None:
    """Change the run's row and append the entry; the row is the lock that orders all writers.

    Args:
        conditions: what must hold of the run; otherwise nothing is done.
        message_id: the new message's.
        op: the agent's own count, where the agent appends.
        changes: columns of the run to set; `NOW` is the message's time.

    Returns:
        The run's row after the change, or None when a condition did not hold.
    """
    moment = unix_ms()
    # Later than everything before it, also when the clock was set back.
    later = sa.case((runs.c.updated_at >= moment, runs.c.updated_at + 1), else_=moment)
    values = {name: later if value is NOW else value for name, value in changes.items()}
    row = connection.execute(
        runs.update()
        .where(runs.c.id == run_id, *conditions)
        .values(messages=runs.c.messages + 1, updated_at=later, **values)
        .returning(*runs.c)
    ).one_or_none()
    if row is not None:
        insert_message(
            connection,
            run_id,
            entry,
            seq=row.messages,
            moment=row.updated_at,
            message_id=message_id,
            op=op,
        )
        if changes.get("status") in _statuses.ENDED:
            _tally.note(connection, changes["status"])
    return row


def insert_message(
    connection: sa.Connection,
    run_id: str,
    entry: Entry,
    *,
    seq: int,
    moment: int,
    message_id: str,
    op: int | None = None,
) -> None:
    """Insert the message that the run's row already counts."""
    connection.execute(
        _schema.messages.insert().values(
            run_id=run_id,
            seq=seq,
            id=message_id,
            op=op,
            type=entry.type,
            role=entry.role,
            timestamp=moment,
            text=entry.text,
            data=None if entry.data is None else json.dumps(entry.data),
        )
    )
    _tally.note(connection, _tally.APPENDED)


def append_op(
    connection: sa.Connection,
    run_id: str,
    turn: int,
    op: int,
    entry: Entry,
    **changes: Any,
) -> sa.Row[Any] | None:
    """Append what the agent did as the `op`th thing, once however often this is called.

    Returns:
        The run's row after the change, or None when it had been done before.

    Raises:
        TurnEnded: the turn is over.
    """
    row = append(
        connection,
        run_id,
        entry,
        runs.c.turn == turn,
        runs.c.ops < op,
        runs.c.status.not_in(_statuses.ENDED),
        message_id=str(uuid.uuid5(uuid.UUID(run_id), f"message {op}")),
        op=op,
        ops=op,
        **changes,
    )
    if row is not None:
        return row
    now = connection.execute(
        sa.select(runs.c.turn, runs.c.ops).where(runs.c.id == run_id)
    ).one_or_none()
    if now is None or now.turn != turn or now.ops < op:
        raise TurnEnded
    return None
