"""Every change of a run: one update of its row, and one message."""

from __future__ import annotations

import functools
import json
import time
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from .._database import schema
from . import counters, statuses
from .entries import Entry

runs = schema.runs

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
    *,
    message_id: str,
    of_turn: int | None = None,
    op: int | None = None,
    **changes: Any,
) -> sa.Row[Any] | None:
    """Change the run's row and append the entry; the row is the lock that orders all writers.

    Args:
        message_id: the new message's.
        of_turn: the turn that must be under way; otherwise nothing is done.
        op: the agent's own count, where the agent appends; nothing is done
            when it has come so far already.
        changes: columns of the run to set; `NOW` is the message's time.

    Returns:
        The run's id, turn, messages and updated_at after the change, or None
        when nothing was done.
    """
    moments = tuple(name for name, value in changes.items() if value is NOW)
    plain = {name: value for name, value in changes.items() if value is not NOW}
    computed = {name for name, value in plain.items() if isinstance(value, sa.ColumnElement)}
    statement = _change(
        tuple(name for name in plain if name not in computed), moments, of_turn is None, op is None
    )
    if computed:
        statement = statement.values({name: plain.pop(name) for name in computed})
    values = {f"new_{name}": value for name, value in plain.items()}
    values |= {"the_run": run_id, "the_turn": of_turn, "the_op": op, "the_moment": unix_ms()}
    row = connection.execute(statement, values).one_or_none()
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
        if changes.get("status") in statuses.ENDED:
            counters.note(connection, changes["status"])
    return row


@functools.lru_cache
def _change(
    names: tuple[str, ...], moments: tuple[str, ...], any_turn: bool, any_op: bool
) -> ReturningUpdate[Any]:
    # Built once each: to build and look one up again takes longer than to execute it.
    moment = sa.bindparam("the_moment", type_=sa.BigInteger)
    # Later than everything before it, also when the clock was set back.
    later = sa.case((runs.c.updated_at >= moment, runs.c.updated_at + 1), else_=moment)
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    values |= dict.fromkeys(moments, later)
    statement = runs.update().where(runs.c.id == sa.bindparam("the_run"))
    if not any_turn:
        statement = statement.where(
            runs.c.turn == sa.bindparam("the_turn"), runs.c.status.not_in(statuses.ENDED)
        )
    if not any_op:
        statement = statement.where(runs.c.ops < sa.bindparam("the_op"))
        values["ops"] = sa.bindparam("the_op")
    return statement.values(messages=runs.c.messages + 1, updated_at=later, **values).returning(
        runs.c.id, runs.c.turn, runs.c.messages, runs.c.updated_at
    )


_MESSAGE = schema.messages.insert()


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
        _MESSAGE,
        {
            "run_id": run_id,
            "seq": seq,
            "id": message_id,
            "op": op,
            "type": entry.type,
            "role": entry.role,
            "timestamp": moment,
            "text": entry.text,
            "data": None if entry.data is None else json.dumps(entry.data),
        },
    )
    counters.note(connection, counters.APPENDED)


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
        What `append` returns, or None when it had been done before.

    Raises:
        TurnEnded: the turn is over.
    """
    row = append(
        connection,
        run_id,
        entry,
        message_id=str(uuid.uuid5(uuid.UUID(run_id), f"message {op}")),
        of_turn=turn,
        op=op,
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
