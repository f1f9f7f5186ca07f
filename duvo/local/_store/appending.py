"""Changes of a run: each updates its row and appends one message."""

from __future__ import annotations

import functools
import json
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from .._clock import clock
from .._database import schema
from . import counters, statuses
from .entries import Entry

runs = schema.runs


class TurnEnded(Exception):
    """The run was ended, or resumed in a newer turn; this turn stores nothing more."""


def unix_ms() -> int:
    return int(clock.now() * 1000)


def new_id() -> str:
    return str(uuid.uuid4())


def append(
    connection: sa.Connection,
    run_id: str,
    entry: Entry,
    *,
    message_id: str | None = None,
    in_turn: int | None = None,
    op: int | None = None,
    **changes: Any,
) -> sa.Row[Any] | None:
    """Update the run's row and append the entry; the row's lock orders all writers.

    Nothing is done and None returned if the turn `in_turn` is not current or has
    ended, or if the run's counter of operations has reached `op` already.
    `changes` are columns of the run; a new `status` sets those that depend on it.
    """
    status = changes.get("status")
    statement = _update(tuple(changes), status, in_turn is None, op is None)
    parameters = {f"new_{name}": value for name, value in changes.items()}
    parameters |= {"run_id_": run_id, "turn_": in_turn, "op_": op, "moment_": unix_ms()}
    row = connection.execute(statement, parameters).one_or_none()
    if row is not None:
        insert_message(connection, row, entry, message_id=message_id, op=op)
        if status in statuses.ENDED:
            counters.count(connection, status)
    return row


@functools.lru_cache
def _update(
    names: tuple[str, ...], status: str | None, any_turn: bool, any_op: bool
) -> ReturningUpdate[Any]:
    # Cached: building and compiling a statement takes longer than executing it.
    moment = sa.bindparam("moment_", type_=sa.BigInteger)
    # Later than every earlier message, even if the clock was set back.
    later = sa.case((runs.c.updated_at >= moment, runs.c.updated_at + 1), else_=moment)
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    values |= {"messages": runs.c.messages + 1, "updated_at": later}
    if status == statuses.RUNNING:
        values["started_at"] = sa.func.coalesce(runs.c.started_at, later)
    if status in statuses.ENDED:
        values["finished_at"] = later
    if status in (statuses.RUNNING, *statuses.ENDED):
        values["pending_request_id"] = None
    statement = runs.update().where(runs.c.id == sa.bindparam("run_id_"))
    if not any_turn:
        statement = statement.where(
            runs.c.turn == sa.bindparam("turn_"), runs.c.status.not_in(statuses.ENDED)
        )
    if not any_op:
        statement = statement.where(runs.c.ops < sa.bindparam("op_"))
        values |= {"ops": sa.bindparam("op_"), "resumed": 0}
    return statement.values(values).returning(
        runs.c.id, runs.c.turn, runs.c.messages, runs.c.updated_at
    )


def insert_message(
    connection: sa.Connection,
    row: sa.Row[Any],
    entry: Entry,
    *,
    message_id: str | None = None,
    op: int | None = None,
) -> None:
    """Insert the last message that the run's row counts."""
    connection.execute(
        schema.messages.insert(),
        {
            "run_id": row.id,
            "seq": row.messages,
            "id": message_id or new_id(),
            "op": op,
            "type": entry.type,
            "role": entry.role,
            "timestamp": row.updated_at,
            "text": entry.text,
            "data": None if entry.data is None else json.dumps(entry.data),
        },
    )
    counters.count(connection, counters.APPENDED)


def append_op(
    connection: sa.Connection, run_id: str, turn: int, op: int, entry: Entry, **changes: Any
) -> sa.Row[Any] | None:
    """Append the entry of an agent's operation as `append` does; None if it was appended before."""
    message_id = str(uuid.uuid5(uuid.UUID(run_id), f"message {op}"))
    row = append(connection, run_id, entry, message_id=message_id, in_turn=turn, op=op, **changes)
    if row is not None:
        return row
    now = connection.execute(
        sa.select(runs.c.turn, runs.c.ops).where(runs.c.id == run_id)
    ).one_or_none()
    if now is None or now.turn != turn or now.ops < op:
        raise TurnEnded
    return None
