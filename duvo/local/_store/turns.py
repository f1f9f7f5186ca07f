"""The turns of runs: how they start, ask humans, read what was posted, and end.

Every change of a turn raises `TurnEnded` if the turn has ended.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Container, Iterable, Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from .._database import schema
from ..messages import Message
from . import entries, statuses
from .appending import TurnEnded, append, append_op
from .commands import cancel_requests

runs, messages, requests = schema.runs, schema.messages, schema.requests

_POSTED = sa.and_(messages.c.role == "user", messages.c.op.is_(None), messages.c.data.is_(None))


class AgentChanged(Exception):
    """The agent's calls differ from those recorded when this turn last ran."""

    def __str__(self) -> str:
        return "the agent's code changed while this run was in progress; start a new run"


class KillsServer(Exception):
    """The server died whenever this turn was resumed."""

    def __str__(self) -> str:
        return "the server died each of the three times just after it resumed this run"


class TurnTakenOver(Exception):
    """Another server runs this turn now."""


MAX_TOGETHER = 2
"""A turn that was resumed this often without progress is resumed alone."""

MAX_RESUMED = MAX_TOGETHER + 1
"""A turn that was resumed this often without progress is not resumed again."""


@attrs.frozen
class TurnStart:
    """The state that a turn starts from; the same each time it is recovered."""

    agent_id: str
    message: str | None  # that started the turn
    conversation: tuple[Message, ...]  # before that message
    op: int  # the run's operation counter at the turn's start
    recorded: int  # the counter when the turn last stopped running
    inbox: int  # the seq of the last message that the agent has received
    history: tuple[str, ...]  # the kinds of the turn's recorded operations, from `op` on
    pending_request_id: str | None = attrs.field(eq=False)  # open when this was read
    is_new: bool = attrs.field(eq=False)  # not recovered
    began_at: int = attrs.field(eq=False)  # in ms
    resumed: int = attrs.field(eq=False)  # how often before, without progress since


def kind_of(entry: entries.Entry) -> str:
    """Return what must stay the same when the operation is replayed: its type and tool."""
    name = (entry.data or {}).get("name") if entry.type == "tool_call" else None
    return sys.intern(f"{entry.type} {name}" if name else entry.type)


def begin(
    connection: sa.Connection, run_id: str, turn: int, agent_ids: Container[str]
) -> TurnStart | None:
    """Start or recover a turn; None if its agent is not among these.

    A recovered turn is counted as resumed, unless it must be resumed alone.
    """
    row = connection.execute(_TURN, {"run": run_id, "turn": turn}).one_or_none()
    if row is None:
        raise TurnEnded
    if row.agent_id not in agent_ids:
        return None
    op = row.turn_ops + 1
    after = None
    if row.ops < op:
        entry = entries.session("started")
        after = append_op(connection, run_id, turn, op, entry, status=statuses.RUNNING)
    elif row.resumed < MAX_TOGETHER:
        count_resumed(connection, run_id, turn, row.resumed + 1)
    # A message posted before `session_started` starts the turn; later ones go to the inbox.
    mark, began_at = (
        _place_of(connection, run_id, op)
        if after is None
        else (
            after.messages,
            after.updated_at,
        )
    )
    first = _first_posted(connection, run_id, row.turn_messages, mark)
    return TurnStart(
        agent_id=row.agent_id,
        message=first.text if first else None,
        conversation=_conversation(connection, run_id, row.turn_messages),
        op=op,
        recorded=max(row.ops, op),
        inbox=first.seq if first else row.turn_messages,
        history=_history(connection, run_id, op) if after is None else (_STARTED,),
        pending_request_id=row.pending_request_id if after is None else None,
        is_new=after is not None,
        began_at=began_at,
        resumed=0 if after is not None else row.resumed,
    )


_TURN = sa.select(
    runs.c.agent_id,
    runs.c.turn_ops,
    runs.c.turn_messages,
    runs.c.ops,
    runs.c.pending_request_id,
    runs.c.resumed,
).where(
    runs.c.id == sa.bindparam("run"),
    runs.c.turn == sa.bindparam("turn"),
    runs.c.status.not_in(statuses.ENDED),
)


@attrs.frozen
class Recorded:
    """What a turn that has not ended started from, and what was recorded of it."""

    turn: int
    agent_name: str
    message: str | None
    conversation: tuple[Message, ...]
    op: int  # the run's operation counter at the turn's start
    operations: tuple[tuple[str, int], ...]  # kind and time in ms, from the one after `op` on
    replies: Mapping[str, str]  # as JSON text, by the ids of their requests


def recorded(connection: sa.Connection, run_id: str) -> Recorded | None:
    """Return what was recorded of the run's turn, or None if it has ended or never begun."""
    columns = (runs.c.agent_name, runs.c.turn, runs.c.turn_ops, runs.c.turn_messages, runs.c.ops)
    row = connection.execute(
        sa.select(*columns).where(runs.c.id == run_id, runs.c.status.not_in(statuses.ENDED))
    ).one_or_none()
    if row is None or row.ops <= row.turn_ops:
        return None
    op = row.turn_ops + 1
    mark, _ = _place_of(connection, run_id, op)
    first = _first_posted(connection, run_id, row.turn_messages, mark)
    operations = connection.execute(
        sa.select(messages.c.type, messages.c.data, messages.c.timestamp)
        .where(messages.c.run_id == run_id, messages.c.op > op)
        .order_by(messages.c.op)
    )
    replies = connection.execute(
        sa.select(requests.c.id, requests.c.answer).where(
            requests.c.run_id == run_id, requests.c.status == "answered"
        )
    )
    return Recorded(
        turn=row.turn,
        agent_name=row.agent_name,
        message=first.text if first else None,
        conversation=_conversation(connection, run_id, row.turn_messages),
        op=op,
        operations=tuple((_kind_of(row.type, row.data), row.timestamp) for row in operations),
        replies={row.id: row.answer for row in replies},
    )


def _first_posted(connection: sa.Connection, run_id: str, after: int, before: int) -> Any:
    values = {"run": run_id, "after": after, "before": before}
    return connection.execute(_FIRST_POSTED, values).one_or_none()


_FIRST_POSTED = (
    sa.select(messages.c.seq, messages.c.text)
    .where(
        messages.c.run_id == sa.bindparam("run"),
        messages.c.seq > sa.bindparam("after"),
        messages.c.seq < sa.bindparam("before"),
        _POSTED,
    )
    .order_by(messages.c.seq)
    .limit(1)
)
_STARTED = kind_of(entries.session("started"))


def count_resumed(connection: sa.Connection, run_id: str, turn: int, resumed: int) -> None:
    """Record how often the turn was resumed without progress."""
    values = {"run": run_id, "turn_": turn, "resumed_": resumed}
    if connection.execute(_COUNT_RESUMED, values).rowcount == 0:
        raise TurnEnded


_COUNT_RESUMED = (
    runs.update()
    .where(
        runs.c.id == sa.bindparam("run"),
        runs.c.turn == sa.bindparam("turn_"),
        runs.c.status.not_in(statuses.ENDED),
    )
    .values(resumed=sa.bindparam("resumed_"))
)


def reset_resumed(connection: sa.Connection, run_ids: Iterable[str]) -> None:
    """Record that the runs have made progress."""
    connection.execute(
        runs.update().where(runs.c.id.in_(run_ids), runs.c.resumed > 0).values(resumed=0)
    )


def open_request(
    connection: sa.Connection,
    run_id: str,
    turn: int,
    op: int,
    entry: entries.Entry,
    request_id: str,
    spec: dict[str, Any],
) -> None:
    """Make the run wait for a human, once for each `op`."""
    changes = {"status": statuses.WAITING, "pending_request_id": request_id}
    row = append_op(connection, run_id, turn, op, entry, **changes)
    if row is not None:
        connection.execute(
            requests.insert().values(
                id=request_id,
                run_id=run_id,
                turn=turn,
                spec=json.dumps(spec),
                status="pending",
                created_at=row.updated_at,
            )
        )


def read_reply(connection: sa.Connection, request_id: str) -> str | None:
    """Return the reply as JSON text, or None while there is none."""
    row = connection.execute(
        sa.select(requests.c.status, requests.c.answer).where(requests.c.id == request_id)
    ).one_or_none()
    if row is None:
        raise AgentChanged  # the request was never made
    if row.status == "cancelled":
        raise TurnEnded
    return str(row.answer) if row.status == "answered" else None


def posted_since(connection: sa.Connection, run_id: str, seq: int) -> tuple[list[str], int]:
    """Return the texts posted after `seq`, and the seq of the last of them."""
    found = connection.execute(
        sa.select(messages.c.seq, messages.c.text)
        .where(messages.c.run_id == run_id, messages.c.seq > seq, _POSTED)
        .order_by(messages.c.seq)
    ).all()
    return [row.text for row in found], found[-1].seq if found else seq


def complete(connection: sa.Connection, run_id: str, turn: int, op: int) -> None:
    entry = entries.session("completed")
    row = append_op(connection, run_id, turn, op, entry, status=statuses.COMPLETED)
    if row is None and connection.execute(_TURN, {"run": run_id, "turn": turn}).first():
        raise AgentChanged


def fail(connection: sa.Connection, run_id: str, turn: int, reason: str) -> None:
    """End the turn as failed, whatever its operation counter."""
    entry = entries.session("error", reason)
    row = append(connection, run_id, entry, in_turn=turn, status=statuses.FAILED, failure=reason)
    if row is None:
        raise TurnEnded
    cancel_requests(connection, run_id)


def _place_of(connection: sa.Connection, run_id: str, op: int) -> tuple[int, int]:
    row = connection.execute(
        sa.select(messages.c.seq, messages.c.timestamp).where(
            messages.c.run_id == run_id, messages.c.op == op
        )
    ).one()
    return row.seq, row.timestamp


def _history(connection: sa.Connection, run_id: str, op: int) -> tuple[str, ...]:
    rows = connection.execute(
        sa.select(messages.c.type, messages.c.data)
        .where(messages.c.run_id == run_id, messages.c.op >= op)
        .order_by(messages.c.op)
    )
    return tuple(_kind_of(row.type, row.data) for row in rows)


def _kind_of(type_: str, data: str | None) -> str:
    return kind_of(entries.Entry(type_, "", data=_loaded(data)))


def _conversation(connection: sa.Connection, run_id: str, end: int) -> tuple[Message, ...]:
    if end == 0:
        return ()
    rows = connection.execute(
        sa.select(messages)
        .where(messages.c.run_id == run_id, messages.c.seq <= end)
        .order_by(messages.c.seq)
    )
    return tuple(Message(row.role, row.type, row.text or "", _loaded(row.data)) for row in rows)


def _loaded(data: str | None) -> dict[str, Any] | None:
    loaded: dict[str, Any] | None = json.loads(data) if data else None
    return loaded
