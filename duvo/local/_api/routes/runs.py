"""Runs, their conversations and their human requests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..._execution.engine import Engine
from ..._log import events
from ..._store import commands, idempotency, queries, statuses
from ..._store.api_errors import ApiError
from ..._store.appending import new_id
from ..._store.commands import Change
from .. import parameters
from ..long_poll import LongPolls
from .agents import find_agent

_MAX_SEARCH = 1000
"""Characters; databases refuse to search for much longer texts."""


class RunRoutes:
    def __init__(self, engine: Engine, long_polls: LongPolls):
        self._engine = engine
        self._long_polls = long_polls

    @property
    def routes(self) -> list[Route]:
        run = "/v2/runs/{run_id}"
        # One route a path, so that a 405 names every method in `Allow`.
        both = ["GET", "POST"]
        return [
            Route("/v2/teams/{team_id}/runs", self.team_runs, methods=both),
            Route(run, self.run),
            Route(f"{run}/messages", self.conversation, methods=both),
            Route(f"{run}/human-requests/{{request_id}}/respond", self.respond, methods=["POST"]),
            Route(f"{run}/stop", self.stop, methods=["POST"]),
        ]

    async def team_runs(self, request: Request) -> Response:
        parameters.check_team(request)
        return await (self.start if request.method == "POST" else self.runs)(request)

    async def conversation(self, request: Request) -> Response:
        return await (self.post_message if request.method == "POST" else self.messages)(request)

    async def start(self, request: Request) -> Response:
        raw = await parameters.read_body(request)
        body = parameters.json_object(raw)
        agent_id = parameters.text_field(body, "agent_id")
        if agent_id is None:
            raise ApiError(400, "agent_id is missing")
        work = functools.partial(
            commands.start,
            agent=find_agent(self._engine, agent_id),
            run_id=new_id(),
            message=parameters.text_field(body, "message") or None,
            sandbox_id=parameters.text_field(body, "sandbox_id"),
            webhook_url=parameters.url_field(body, "webhook_url"),
        )
        return await self._change(request, raw, work)

    async def runs(self, request: Request) -> Response:
        offset, limit = parameters.page(request, max_limit=100)
        parameters.parameter(request, "sort_by", "created_at")
        order = parameters.parameter(request, "sort_order", "asc", "desc")
        work = functools.partial(
            queries.run_list,
            filters=_filters(request),
            offset=offset,
            limit=limit,
            newest_first=order != "asc",
        )
        return JSONResponse(await self._engine.transact(work))

    async def run(self, request: Request) -> Response:
        run_id = parameters.path_id(request, "run_id")
        seen = parameters.parameter(request, "seen_request")

        def is_due(view: queries.View) -> bool:
            return view.ended or (view.request_id is not None and view.request_id != seen)

        return await self._poll(request, run_id, queries.run, is_due)

    async def messages(self, request: Request) -> Response:
        run_id = parameters.path_id(request, "run_id")
        offset, limit = parameters.page(request, max_limit=50)
        read = functools.partial(queries.page, offset=offset, limit=limit)
        return await self._poll(
            request, run_id, read, lambda view: view.ended or bool(view.body["messages"])
        )

    async def post_message(self, request: Request) -> Response:
        run_id = parameters.path_id(request, "run_id")
        raw = await parameters.read_body(request)
        text = parameters.text_field(parameters.json_object(raw), "message")
        if not text:
            raise ApiError(400, "message is missing or empty")
        work = functools.partial(
            commands.post, run_id=run_id, text=text, deliver=self._engine.deliver
        )
        return await self._change(request, raw, work)

    async def respond(self, request: Request) -> Response:
        run_id = parameters.path_id(request, "run_id")
        request_id = parameters.path_id(request, "request_id")
        raw = await parameters.read_body(request)
        body = parameters.json_object(raw)
        answers = body.get("answers")
        for key, value in answers.items() if isinstance(answers, dict) else ():
            parameters.checked_text(key, "answers")
            if isinstance(value, str):
                parameters.checked_text(value, "answers")
        work = functools.partial(
            commands.respond,
            run_id=run_id,
            request_id=request_id,
            body=body,
            deliver=self._engine.deliver,
        )
        return await self._change(request, raw, work)

    async def stop(self, request: Request) -> Response:
        run_id = parameters.path_id(request, "run_id")
        raw = await parameters.read_body(request)
        return await self._change(request, raw, functools.partial(commands.stop, run_id=run_id))

    async def _poll(
        self,
        request: Request,
        run_id: str,
        read: Callable[..., queries.View],
        is_due: Callable[[queries.View], bool],
    ) -> Response:
        work = functools.partial(read, run_id=run_id)
        wait = parameters.wait(request)
        return await self._long_polls.respond(
            run_id, wait, lambda: self._engine.transact(work), is_due
        )

    async def _change(
        self, request: Request, raw: bytes, work: Callable[[sa.Connection], Change]
    ) -> Response:
        key = parameters.idempotency_key(request)
        if key is not None:
            digest = idempotency.fingerprint(request.method, request.url.path, raw)
            work = functools.partial(idempotency.once, key=key, request_hash=digest, work=work)
        change = await self._engine.change(work)
        _log(change, request)
        return JSONResponse(change.body, change.status)


def _log(change: Change, request: Request) -> None:
    event, run_id = change.event, change.run_id
    if event is None or run_id is None:
        return
    if event.kind == "answered":
        events.answered(run_id, event.agent_name, request.headers.get("user-agent"))
    else:
        events.stopped(run_id, event.agent_name, event.seconds)


def _filters(request: Request) -> queries.Filters:
    text = functools.partial(parameters.parameter, request)
    uuid = functools.partial(parameters.uuid_parameter, request)
    moment = functools.partial(parameters.moment, request)
    agent_id, user_id = uuid("agent_id"), uuid("user_id")
    # The engine has no queues, digests or evaluations: filters on them match no run.
    unmatched: list[Any] = [uuid("case_queue_id"), uuid("digest_id")]
    unmatched.append(text("has_issues", "true", "false") == "true")
    unmatched.append(text("issue_severity", "critical", "medium", "low"))
    search = text("search")
    if search is not None and len(search) > _MAX_SEARCH:
        raise ApiError(400, f"search must have {_MAX_SEARCH} characters at most")
    return queries.Filters(
        status=text("status", *statuses.KNOWN, *statuses.IN_FILTERS),
        agent_id=agent_id,
        user_id=user_id,
        source=text("source"),
        search=search,
        created_since=moment("created_since", round_up=True),
        completed_since=moment("since", round_up=True),
        completed_until=moment("until", round_up=False),
        nothing=any(unmatched),
    )
