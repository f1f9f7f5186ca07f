"""A turn in the database: how it begins, what it asks, what was posted to it, how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Container
from typing import Any

import attrs
import sqlalchemy as sa

from .._database import schema
from ..context import Message
from . import entries, statuses
from .appending import NOW, TurnEnded, append, append_op, new_message_id

runs, messages, requests = schema.runs, schema.messages, schema.requests

_POSTED = sa.and_(messages.c.role == "user", messages.c.op.is_(None), messages.c.data.is_(None))


class AgentChanged(Exception):
    """The agent's code did something else than when this run was last carried on."""

    def __str__(self) -> str:
        return "the agent's code changed while this run was in progress; start a new run"


class TurnElsewhere(Exception):
    """Another server carries this turn out now."""


@attrs.frozen
class Beginning:
    """Where a turn starts from, the same however often it is recovered.

    Attributes:
        agent_id: of the agent that carries the turn out.
        message: the text that began the turn, or None.
        conversation: what stood before it.
        op: the agent's count at the beginning.
        recorded: how far the count had come when the turn was last left.
        inbox: up to which place the agent knows what was posted.
        past: what the agent did so far in this turn, from `op` on.
        waits_with: the human request that was open when this was read, or None.
        is_new: whether the turn begins now, and not once more.
    """

    agent_id: str
    message: str | None
    conversation: tuple[Message, ...]
    op: int
    recorded: int
    inbox: int
    past: tuple[str, ...]
    waits_with: str | None = attrs.field(eq=False)
    is_new: bool = attrs.field(eq=False)


def kind_of(entry: entries.Entry) -> str:
    """What an agent did, told apart as far as a changed code is noticed."""
    name = (entry.data or {}).get("name") if entry.type == "tool_call" else None
    return sys.intern(f"{entry.type} {name}" if name else entry.type)


def standing(connection: sa.Connection, run_ids: list[str]) -> list[tuple[str, int, str]]:
    """Where those runs are: id, turn, status."""
    rows = connection.execute(
        sa.select(runs.c.id, runs.c.turn, runs.c.status).where(runs.c.id.in_(run_ids))
    )
    return [(run_id, turn, status) for run_id, turn, status in rows]


def begin(
    connection: sa.Connection, run_id: str, turn: int, agent_ids: Container[str]
) -> Beginning | None:
    """Begin a turn, or find again where it began; None when its agent is not among these.

    Raises:
        TurnEnded: the turn is over.
    """
    row = connection.execute(_TURN, {"run": run_id, "turn": turn}).one_or_none()
    if row is None:
        raise TurnEnded
    if row.agent_id not in agent_ids:
        return None
    op = row.turn_ops + 1
    after = None
    if row.ops < op:
        after = append_op(
            connection,
            run_id,
            turn,
            op,
            entries.session("started"),
            status=statuses.RUNNING,
            **({} if row.started_at else {"started_at": NOW}),
        )
    # What was posted before this mark belongs to the beginning, what came after to the inbox.
    mark = connection.scalar(_PLACE, {"run": run_id, "op": op}) if after is None else after.messages
    first = connection.execute(
        _FIRST_POSTED, {"run": run_id, "after": row.turn_messages, "before": mark}
    ).one_or_none()
    return Beginning(
        agent_id=row.agent_id,
        message=first.text if first else None,
        conversation=_conversation(connection, run_id, row.turn_messages),
        op=op,
        recorded=max(row.ops, op),
        inbox=first.seq if first else row.turn_messages,
        past=_past(connection, run_id, op) if after is None else (_STARTED,),
        waits_with=row.pending_request_id if after is None else None,
        is_new=after is not None,
    )


_TURN = sa.select(
    runs.c.agent_id,
    runs.c.turn_ops,
    runs.c.turn_messages,
    runs.c.started_at,
    runs.c.ops,
    runs.c.pending_request_id,
).where(
    runs.c.id == sa.bindparam("run"),
    runs.c.turn == sa.bindparam("turn"),
    runs.c.status.not_in(statuses.ENDED),
)
_PLACE = sa.select(messages.c.seq).where(
    messages.c.run_id == sa.bindparam("run"), messages.c.op == sa.bindparam("op")
)
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


def open_request(
    connection: sa.Connection,
    run_id: str,
    turn: int,
    op: int,
    entry: entries.Entry,
    request_id: str,
    spec: dict[str, Any],
) -> None:
    """Make the run wait for a human, once for each `op`.

    Raises:
        TurnEnded: the turn is over.
    """
    row = append_op(
        connection,
        run_id,
        turn,
        op,
        entry,
        status=statuses.WAITING,
        pending_request_id=request_id,
    )
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


def answer_to(connection: sa.Connection, request_id: str) -> str | None:
    """The reply as JSON text, or None while there is none.

    Raises:
        TurnEnded: the request is void.
        AgentChanged: it was never made.
    """
    row = connection.execute(_REPLY, {"request": request_id}).one_or_none()
    if row is None:
        raise AgentChanged
    if row.status == "cancelled":
        raise TurnEnded
    return str(row.answer) if row.status == "answered" else None


_REPLY = sa.select(requests.c.status, requests.c.answer).where(
    requests.c.id == sa.bindparam("request")
)


def posted_since(connection: sa.Connection, run_id: str, seq: int) -> tuple[list[str], int]:
    """The texts posted after that place, and the place of the last of them."""
    found = connection.execute(
        sa.select(messages.c.seq, messages.c.text)
        .where(messages.c.run_id == run_id, messages.c.seq > seq, _POSTED)
        .order_by(messages.c.seq)
    ).all()
    return [row.text for row in found], found[-1].seq if found else seq


def complete(connection: sa.Connection, run_id: str, turn: int, op: int) -> None:
    """End the turn well.

    Raises:
        TurnEnded: it is over already.
        AgentChanged: the agent has done less than was recorded of it.
    """
    row = append_op(
        connection,
        run_id,
        turn,
        op,
        entries.session("completed"),
        status=statuses.COMPLETED,
        finished_at=NOW,
    )
    if row is None and connection.execute(_TURN, {"run": run_id, "turn": turn}).first():
        raise AgentChanged


def fail(connection: sa.Connection, run_id: str, turn: int, reason: str) -> None:
    """End the turn with an error, whatever the agent's count is.

    Raises:
        TurnEnded: it is over already.
    """
    row = append(
        connection,
        run_id,
        entries.session("error", reason),
        message_id=new_message_id(),
        of_turn=turn,
        status=statuses.FAILED,
        failure=reason,
        finished_at=NOW,
        pending_request_id=None,
    )
    if row is None:
        raise TurnEnded
    connection.execute(
        requests.update()
        .where(requests.c.run_id == run_id, requests.c.status == "pending")
        .values(status="cancelled")
    )


def _past(connection: sa.Connection, run_id: str, op: int) -> tuple[str, ...]:
    found = connection.execute(_DONE, {"run": run_id, "op": op})
    return tuple(
        kind_of(entries.Entry(row.type, "", data=json.loads(row.data) if row.data else None))
        for row in found
    )


_DONE = (
    sa.select(messages.c.type, messages.c.data)
    .where(messages.c.run_id == sa.bindparam("run"), messages.c.op >= sa.bindparam("op"))
    .order_by(messages.c.op)
)


def _conversation(connection: sa.Connection, run_id: str, end: int) -> tuple[Message, ...]:
    if end == 0:
        return ()
    found = connection.execute(
        sa.select(messages)
        .where(messages.c.run_id == run_id, messages.c.seq <= end)
        .order_by(messages.c.seq)
    )
    return tuple(
        Message(row.role, row.type, row.text or "", json.loads(row.data) if row.data else None)
        for row in found
    )
