"""Actions on a run: start, read, post a message, reply, stop."""

from __future__ import annotations

from .. import _errors
from .._advice import words
from .._http import paths
from .._http.sender import get, post
from .._models import wire
from .._models.checks import expect_field, request_context
from .._settings.credentials import checked_id
from .state import Resumed, RunState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._models.human_requests import Reply
    from .._models.messages import Message
    from .._models.types import Answers
    from .._time.clock import Deadline
    from .polling import Poller


def start(
    api: Api,
    agent_id: str,
    message: str | None = None,
    sandbox_id: str | None = None,
    webhook_url: str | None = None,
    *,
    deadline: Deadline | None = None,
    idempotency_key: str | None = None,
) -> Flow[RunState]:
    """Start a run. Sends `POST /v2/teams/{team}/runs`."""
    if sandbox_id is not None:
        checked_id(sandbox_id, "sandbox")
    body = {
        "agent_id": agent_id,
        "message": message,
        "sandbox_id": sandbox_id,
        "webhook_url": webhook_url,
    }
    path = paths.runs((yield from api.team_id(deadline)))
    find_out = words().find_start(agent_id)
    response = yield from post(
        api,
        path,
        body={name: value for name, value in body.items() if value is not None},
        find_out=find_out,
        deadline=deadline,
        idempotency_key=idempotency_key,
    )
    with request_context("POST", path, find_out):
        run_id = wire.run_response(response.data)["run"]["id"]
    return RunState(run_id, response.data, started_here_at=api.clock.now())


def refresh(api: Api, state: RunState) -> Flow[None]:
    """Read a run. Sends `GET /v2/runs/{id}`."""
    response = yield from get(api, paths.run(state.id))
    state.update(response.data)


def read_once(
    poller: Poller, state: RunState, params: Sequence[tuple[str, str]] = ()
) -> Flow[None]:
    """Read a run once, as one attempt of the poller."""
    response = yield from poller.get_once(paths.run(state.id), params)
    state.update(response.data)
    poller.status = state.status


def poll(
    poller: Poller, state: RunState, *, hold: bool = False, seen_request: str | None = None
) -> Flow[None]:
    """Read a run, repeatedly until that succeeds.

    With `hold`, the server may hold the request until the run changes. A pending
    human request with the id `seen_request` does not count as a change.
    """
    params = []
    if hold:
        params.append(("wait", f"{poller.deadline.left(poller.longest_hold):.1f}"))
        if seen_request is not None:
            params.append(("seen_request", seen_request))
    yield from poller.repeat(lambda: read_once(poller, state, params))


def send_message(api: Api, state: RunState, text: str) -> Flow[Message]:
    """Post a message to a run. Sends `POST /v2/runs/{id}/messages`."""
    path = paths.messages(state.id)
    find_out = words().find_message(state.id)
    ended_before = state.completed_at
    response = yield from post(api, path, body={"message": text}, find_out=find_out)
    resumed = state.resumed = Resumed(None, api.clock.now(), ended_before)
    state.final_answer.is_read = False
    with request_context("POST", path, find_out):
        from .._models import messages

        raw = expect_field(response.data, "message")
        message = messages.message(wire.message(raw), raw, state.id, api.warn_once)
    resumed.message_at = message.timestamp
    return message


def respond(
    api: Api,
    state: RunState,
    approve: bool | None,
    answers: Answers | None,
    request_id: str | None,
) -> Flow[Reply]:
    """Read a run, and reply to its pending request."""
    # Most programs that read a run never reply.
    from . import replies

    if request_id is not None:
        checked_id(request_id, "human request")
    yield from refresh(api, state)
    request = state.pending_request
    if request is None:
        raise _errors.InvalidReply(
            f"run {state.id} has no pending request (it is {state.status}); nothing was sent"
        )
    if request_id is not None and request_id.casefold() != request.id.casefold():
        raise _errors.InvalidReply(
            f"run {state.id} has no pending request {request_id}; it has {request.id}: "
            f"{replies.describe(request)}; nothing was sent",
            request=request,
        )
    return (yield from send_reply(api, state, request.id, replies.body(request, approve, answers)))


def send_reply(
    api: Api,
    state: RunState,
    request_id: str,
    body: dict[str, Any],
    *,
    deadline: Deadline | None = None,
    retries: int | None = None,
) -> Flow[Reply]:
    """Reply to a request. Sends `POST /v2/runs/{id}/human-requests/{request}/respond`."""
    path = paths.reply(state.id, request_id)
    find_out = words().find_reply(state.id)
    response = yield from post(
        api, path, body=body, find_out=find_out, deadline=deadline, retries=retries
    )
    with request_context("POST", path, find_out):
        from .._models import human_requests

        return human_requests.reply(expect_field(response.data, "human_request"))


def stop(api: Api, state: RunState) -> Flow[None]:
    """Stop a run, and read it. Sends `POST /v2/runs/{id}/stop` and `GET /v2/runs/{id}`."""
    # Stopping a run twice does no harm.
    response = yield from post(api, paths.stop(state.id), repeatable=True)
    yield from refresh(api, state)
    reported = response.data if isinstance(response.data, dict) else {}
    if not state.is_finished and reported.get("success") is False:
        raise _errors.Conflict(
            f"could not stop run {state.id} ({state.status}): "
            f"{reported.get('message') or 'the server gave no reason'}",
            status=409,
        )
