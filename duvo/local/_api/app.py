"""The routes of the API."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .._execution.engine import Engine
from .._store import commands, idempotency, queries, shapes, statuses
from .._store.commands import Change
from .._store.refusals import Refused, error_body
from . import parameters
from .accepted_keys import AcceptedKeys
from .guard import LONG_POLL, Guard, unexpected
from .long_poll import LongPolls
from .rate_limit import RateLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._monitoring.routes import Monitoring

logger = logging.getLogger("duvo.local")

_MOST = 2**53 - 1
"""The largest offset, as the API has it."""

_LONGEST_SEARCH = 1000
"""Characters; a database refuses to look for much longer ones."""


class Api:
    """Answers requests from what the engine has and does."""

    def __init__(self, engine: Engine, long_polls: LongPolls):
        self._engine = engine
        self._long_polls = long_polls

    async def teams(self, request: Request) -> Response:
        return JSONResponse({"teams": [shapes.team()]})

    async def profile(self, request: Request) -> Response:
        return JSONResponse({"profile": shapes.profile()})

    async def agents(self, request: Request) -> Response:
        _check_team(request)
        limit = parameters.whole_number(request, "limit", 20, 1, 100)
        offset = parameters.whole_number(request, "offset", 0, 0, _MOST)
        parameters.parameter(request, "include_schedules", ("true", "false"))
        automation = parameters.parameter(request, "automation_id")
        if automation is not None:
            parameters.uuid_text(automation, "automation_id")
        last_runs = await self._engine.transact(queries.last_runs)
        every = [] if automation else list(self._engine.agents.values())
        page = every[offset : offset + limit]
        return JSONResponse(
            {
                "agents": [shapes.agent_item(one, last_runs.get(one.id)) for one in page],
                "total": len(every),
                "limit": limit,
                "offset": offset,
            }
        )

    async def agent(self, request: Request) -> Response:
        agent_id = parameters.uuid_text(request.path_params["agent_id"], "agent_id")
        found = self._engine.agents.get(agent_id)
        if found is None:
            raise _no_agent()
        return JSONResponse({"agent": shapes.agent(found), "user_context": {"pinned_at": None}})

    async def runs_of_team(self, request: Request) -> Response:
        return await (self.start_run if request.method == "POST" else self.runs)(request)

    async def conversation(self, request: Request) -> Response:
        return await (self.post_message if request.method == "POST" else self.messages)(request)

    async def start_run(self, request: Request) -> Response:
        _check_team(request)
        raw = await parameters.read_body(request)
        body = parameters.json_object(raw)
        agent_id = parameters.text_field(body, "agent_id")
        if agent_id is None:
            raise Refused(400, "agent_id is missing")
        agent = self._engine.agents.get(parameters.uuid_text(agent_id, "agent_id"))
        if agent is None:
            raise _no_agent()
        work = functools.partial(
            commands.start,
            agent=agent,
            run_id=commands.new_run_id(),
            message=parameters.text_field(body, "message") or None,
            sandbox_id=parameters.text_field(body, "sandbox_id"),
            webhook_url=parameters.url_field(body, "webhook_url"),
        )
        return await self._change(request, raw, work)

    async def runs(self, request: Request) -> Response:
        _check_team(request)
        limit = parameters.whole_number(request, "limit", 20, 1, 100)
        offset = parameters.whole_number(request, "offset", 0, 0, _MOST)
        parameters.parameter(request, "sort_by", ("created_at",))
        order = parameters.parameter(request, "sort_order", ("asc", "desc"))
        work = functools.partial(
            queries.run_list,
            filters=_filters(request),
            offset=offset,
            limit=limit,
            newest_first=order != "asc",
        )
        return JSONResponse(await self._engine.transact(work))

    async def run(self, request: Request) -> Response:
        run_id = _run_id(request)
        seen = parameters.parameter(request, "seen_request")

        def is_due(view: queries.RunView) -> bool:
            return view.ended or (view.request_id is not None and view.request_id != seen)

        return await self._long_polls.answer(
            run_id,
            parameters.seconds(request, "wait", LONG_POLL),
            lambda: self._engine.transact(functools.partial(queries.run, run_id=run_id)),
            is_due,
            lambda view: view.body,
        )

    async def messages(self, request: Request) -> Response:
        run_id = _run_id(request)
        limit = parameters.whole_number(request, "limit", 20, 1, 50)
        offset = parameters.whole_number(request, "offset", 0, 0, _MOST)
        read = functools.partial(queries.page, run_id=run_id, offset=offset, limit=limit)
        return await self._long_polls.answer(
            run_id,
            parameters.seconds(request, "wait", LONG_POLL),
            lambda: self._engine.transact(read),
            lambda view: view.ended or bool(view.body["messages"]),
            lambda view: view.body,
        )

    async def post_message(self, request: Request) -> Response:
        run_id = _run_id(request)
        raw = await parameters.read_body(request)
        text = parameters.text_field(parameters.json_object(raw), "message")
        if not text:
            raise Refused(400, "message is missing or empty")
        work = functools.partial(
            commands.post, run_id=run_id, text=text, deliver=self._engine.deliver
        )
        return await self._change(request, raw, work)

    async def respond(self, request: Request) -> Response:
        run_id = _run_id(request)
        request_id = parameters.uuid_text(request.path_params["request_id"], "request_id")
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
        run_id = _run_id(request)
        raw = await parameters.read_body(request)
        return await self._change(request, raw, functools.partial(commands.stop, run_id=run_id))

    async def _change(
        self, request: Request, raw: bytes, work: Callable[[sa.Connection], Change]
    ) -> Response:
        key = request.headers.get("idempotency-key")
        if key is not None:
            if not 0 < len(key) <= 255 or not key.isprintable():
                raise Refused(400, "Idempotency-Key must be 1 to 255 printable characters")
            digest = idempotency.fingerprint(request.method, request.url.path, raw)
            once, first = key, work

            def work(connection: sa.Connection) -> Change:
                return idempotency.once(connection, once, digest, lambda: first(connection))

        change = await self._engine.change(work)
        return JSONResponse(change.body, change.status)


def make_app(
    engine: Engine,
    long_polls: LongPolls,
    *,
    keys: AcceptedKeys,
    on_loopback: bool,
    rate_limit: RateLimit | None = None,
    monitoring: Monitoring | None = None,
) -> ASGIApp:
    """The API as an ASGI application.

    Args:
        keys: what opens it.
        on_loopback: whether it is reached from this machine alone.
        rate_limit: counts the requests; None for no limit.
        monitoring: what is answered to load balancers and Prometheus, if anything.
    """
    api = Api(engine, long_polls)
    run = "/v2/runs/{run_id}"
    routes = [
        Route("/v2/teams", api.teams),
        Route("/v2/profile", api.profile),
        Route("/v2/teams/{team_id}/agents", api.agents),
        Route("/v2/agents/{agent_id}", api.agent),
        Route("/v2/teams/{team_id}/runs", api.runs_of_team, methods=["GET", "POST"]),
        Route(run, api.run),
        Route(f"{run}/messages", api.conversation, methods=["GET", "POST"]),
        Route(f"{run}/human-requests/{{request_id}}/respond", api.respond, methods=["POST"]),
        Route(f"{run}/stop", api.stop, methods=["POST"]),
    ]
    if monitoring is not None:
        routes += monitoring.routes
    app = Starlette(
        routes=routes,
        exception_handlers={
            Refused: _refused,
            HTTPException: _unrouted,
            # Caught here, not at the outermost: that one would raise it again.
            DBAPIError: _database_away,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    guard = Guard(
        app,
        keys=keys,
        on_loopback=on_loopback,
        rate_limit=rate_limit,
        monitoring=monitoring,
    )
    return guard if monitoring is None else monitoring.measuring(guard, routes)


def _filters(request: Request) -> queries.Filters:
    words = (*statuses.KNOWN, *statuses.IN_FILTERS)
    ids = {
        name: None if text is None else parameters.uuid_text(text, name)
        for name in ("agent_id", "user_id", "case_queue_id", "digest_id")
        for text in (parameters.parameter(request, name),)
    }
    issues = parameters.parameter(request, "has_issues", ("true", "false"))
    severity = parameters.parameter(request, "issue_severity", ("critical", "medium", "low"))
    search = parameters.parameter(request, "search")
    if search is not None and len(search) > _LONGEST_SEARCH:
        raise Refused(400, f"search must have {_LONGEST_SEARCH} characters at most")
    return queries.Filters(
        status=parameters.parameter(request, "status", words),
        agent_id=ids["agent_id"],
        user_id=ids["user_id"],
        source=parameters.parameter(request, "source"),
        search=search,
        since=parameters.moment(request, "since"),
        # Queues, digests and evaluations are not part of this engine: nothing matches them.
        nothing=bool(ids["case_queue_id"] or ids["digest_id"] or severity or issues == "true"),
    )


def _check_team(request: Request) -> None:
    if request.path_params["team_id"] != shapes.TEAM_ID:
        raise Refused(404, "there is no such team, or the key belongs to another")


def _run_id(request: Request) -> str:
    return parameters.uuid_text(request.path_params["run_id"], "run_id")


def _no_agent() -> Refused:
    return Refused(404, "there is no such agent, or its file was not given to this server")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    # What was not read of the body must not be taken for the next request.
    headers = {"connection": "close"} if error.status == 413 else None
    return JSONResponse(error.answer(), error.status, headers=headers)


async def _database_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    # Not all of the error: it shows the statement, and what people wrote.
    reason = " ".join(str(error.orig).split())
    logger.error("%s %s: the database failed: %s", request.method, request.url.path, reason)
    return JSONResponse(error_body(500, "the database failed; the server's log tells more"), 500)


async def _failed(request: Request, error: Exception) -> Response:
    # The exception is raised again after the answer, and logged by the guard.
    return unexpected()


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "there is no such path", 405: f"{request.method} is not possible here"}
    body = error_body(error.status_code, told.get(error.status_code, error.detail))
    return JSONResponse(body, error.status_code, headers=error.headers)
