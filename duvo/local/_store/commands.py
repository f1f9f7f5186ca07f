"""Changes that people make to runs: start, post, respond, stop; each in one transaction.

Raises `ApiError` for a run or a request that is unknown or in the wrong state.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import attrs
import sqlalchemy as sa

from .._database import schema
from ..agents import Agent
from . import counters, entries, replies, shapes, statuses
from .api_errors import ApiError, no_run
from .appending import append, insert_message, new_id, unix_ms

runs, messages, requests = schema.runs, schema.messages, schema.requests

Deliver = Callable[[sa.Connection, str, int, str, str], None]
"""Sends a reply (run, turn, request, JSON text) to the waiting turn, in the same transaction."""


@attrs.frozen
class Event:
    """A reply to a human request, or the stop of a run."""

    kind: Literal["answered", "stopped"]
    agent_name: str
    seconds: float | None = None  # since the turn began, of a stop


@attrs.frozen
class Change:
    """The HTTP response to a change, and what to do once it is committed."""

    status: int
    body: dict[str, Any]
    run_id: str | None = None  # whose subscribers to notify
    starts_turn: int | None = None  # of that run, to start
    ends_turn: int | None = None  # of that run, to cancel
    event: Event | None = None  # to log


def delete_all(connection: sa.Connection) -> None:
    """Delete all runs, and what belongs to them."""
    for table in (runs, messages, requests, schema.idempotency):
        connection.execute(table.delete())


def start(
    connection: sa.Connection,
    agent: Agent,
    *,
    run_id: str,
    message: str | None,
    sandbox_id: str | None,
    webhook_url: str | None,
) -> Change:
    """Create a run, with the message that starts it."""
    moment = unix_ms()
    number = sa.select(sa.func.coalesce(sa.func.max(runs.c.run_number), 0) + 1).scalar_subquery()
    row = connection.execute(
        runs.insert()
        .values(
            id=run_id,
            agent_id=agent.id,
            agent_name=agent.name,
            build_id=shapes.build_id(agent.id),
            title=_title(message) or agent.name,
            run_number=number,
            user_id=shapes.USER_ID,
            source="api",
            sandbox_id=sandbox_id,
            webhook_url=webhook_url,
            status=statuses.PENDING,
            turn=1,
            turn_messages=0,
            turn_ops=0,
            messages=0 if message is None else 1,
            ops=0,
            prompts=0 if message is None else 1,
            created_at=moment,
            updated_at=moment,
        )
        .returning(*runs.c)
    ).one()
    counters.count(connection, counters.STARTED)
    if message is not None:
        insert_message(connection, row, entries.user_text(message))
    return Change(201, {"run": shapes.run(row)}, run_id, starts_turn=1)


def post(connection: sa.Connection, run_id: str, text: str, deliver: Deliver) -> Change:
    """Post a message: to a working run's inbox, as a waiting run's reply, or to resume a run."""
    message_id = new_id()
    row = _locked_run(connection, run_id)
    if row.status == statuses.FAILED:
        raise ApiError(409, "the run has failed, and a failed run cannot be resumed; start another")
    entry = entries.user_text(text)
    changes: dict[str, Any] = {"prompts": row.prompts + 1}
    starts_turn = None
    if row.status in statuses.RESUMABLE:
        starts_turn = row.turn + 1
        changes |= {
            "turn": starts_turn,
            "turn_messages": row.messages,
            "turn_ops": row.ops,
            "status": statuses.PENDING,
            "finished_at": None,
        }
    request = None
    if row.status == statuses.WAITING:
        request = _request(connection, run_id, row.pending_request_id)
        reply = replies.from_text(json.loads(request.spec), text)
        if reply.get("approved") is not False:
            # A text that declines may say more than no: the agent finds it in its inbox too.
            entry = entries.user_text(text, replies_to=request.id)
    after = append(connection, run_id, entry, message_id=message_id, **changes)
    assert after is not None
    event = None
    if request is not None:
        _record_reply(connection, after, request, reply, deliver)
        event = Event("answered", row.agent_name)
    body = {"message": shapes.posted_message(message_id, text, after.updated_at)}
    return Change(201, body, run_id, starts_turn=starts_turn, event=event)


def respond(
    connection: sa.Connection, run_id: str, request_id: str, body: dict[str, Any], deliver: Deliver
) -> Change:
    """Reply to the run's pending human request."""
    row = _locked_run(connection, run_id)
    request = _request(connection, run_id, request_id)
    if row.status != statuses.WAITING or row.pending_request_id != request_id:
        reasons = {
            "answered": "has been answered already",
            "cancelled": "is void: its run was stopped",
        }
        raise ApiError(409, f"this request {reasons.get(request.status, 'is not pending')}")
    reply = replies.from_fields(json.loads(request.spec), body)
    after = _record_reply(connection, row, request, reply, deliver)
    shape = shapes.answered_request(request, reply, after.updated_at)
    return Change(200, {"human_request": shape}, run_id, event=Event("answered", row.agent_name))


def stop(connection: sa.Connection, run_id: str) -> Change:
    """End a run at once; an ended run stays as it is."""
    row = _locked_run(connection, run_id)
    if row.status in statuses.ENDED:
        return Change(200, {"success": True, "message": f"the run had ended: {row.status}"})
    began_at = connection.scalar(_LAST_BEGAN, {"run": run_id, "after": row.turn_messages})
    after = append(connection, run_id, entries.session("interrupted"), status=statuses.INTERRUPTED)
    assert after is not None
    cancel_requests(connection, run_id)
    seconds = None if began_at is None else (after.updated_at - began_at) / 1000
    event = Event("stopped", row.agent_name, seconds)
    return Change(200, {"success": True}, run_id, ends_turn=row.turn, event=event)


_LAST_BEGAN = sa.select(messages.c.timestamp).where(
    messages.c.run_id == sa.bindparam("run"),
    messages.c.seq > sa.bindparam("after"),
    messages.c.type == "session_started",
)


def cancel_requests(connection: sa.Connection, run_id: str) -> None:
    """Cancel the run's pending human request, if there is one."""
    connection.execute(
        requests.update()
        .where(requests.c.run_id == run_id, requests.c.status == "pending")
        .values(status="cancelled")
    )


def _record_reply(
    connection: sa.Connection,
    row: sa.Row[Any],
    request: sa.Row[Any],
    reply: dict[str, Any],
    deliver: Deliver,
) -> sa.Row[Any]:
    result = reply if "approved" in reply else reply["answers"]
    entry = entries.tool_result(request.id, result=result)
    after = append(connection, row.id, entry, status=statuses.RUNNING)
    assert after is not None
    text = json.dumps(reply)
    connection.execute(
        requests.update()
        .where(requests.c.id == request.id)
        .values(status="answered", answer=text, answered_at=after.updated_at)
    )
    deliver(connection, row.id, row.turn, request.id, text)
    return after


def _locked_run(connection: sa.Connection, run_id: str) -> sa.Row[Any]:
    # An update that changes nothing takes the row's lock in both databases.
    row = connection.execute(
        runs.update().where(runs.c.id == run_id).values(turn=runs.c.turn).returning(*runs.c)
    ).one_or_none()
    if row is None:
        raise no_run()
    return row


def _request(connection: sa.Connection, run_id: str, request_id: str) -> sa.Row[Any]:
    row = connection.execute(
        sa.select(requests).where(requests.c.id == request_id, requests.c.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise ApiError(404, "this run has no such human request")
    return row


def _title(message: str | None) -> str | None:
    lines = (message or "").strip().splitlines()
    return lines[0][:80].strip() if lines else None
