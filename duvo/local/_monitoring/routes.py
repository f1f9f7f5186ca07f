"""The routes for load balancers and Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._database.database import Database
from .._database.health import DatabaseCheck
from .._store.counters import on_commit
from .metrics import Metrics

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OTHER = "other"


class Monitoring:
    """Serves `/health` and `/metrics`; `turns` and `held_polls` return the current numbers."""

    HEALTH = "/health"
    METRICS = "/metrics"

    def __init__(
        self, database: Database, *, turns: Callable[[], int], held_polls: Callable[[], int]
    ):
        self.is_leaving = False  # whether the server shuts down and takes no new work
        self._check = DatabaseCheck(database)
        self._metrics = Metrics(turns=turns, held_polls=held_polls)
        on_commit(database.engine, self._metrics.count_committed)

    @property
    def routes(self) -> list[Route]:
        return [Route(self.HEALTH, self.health), Route(self.METRICS, self.metrics)]

    def measured(self, app: ASGIApp, routes: Iterable[Route]) -> ASGIApp:
        """Return the application with its requests counted by route."""
        # Not by path: the number of paths is unlimited.
        templates: dict[object, str] = {route.endpoint: route.path for route in routes}

        async def measured_app(scope: Scope, receive: Receive, send: Send) -> None:
            status = 500
            began = time.perf_counter()

            async def send_and_record(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, send_and_record)
            finally:
                method = scope["method"] if scope["method"] in _METHODS else _OTHER
                # Set by the router; missing if the guard refused the request.
                route = templates.get(scope.get("endpoint"), _OTHER)
                seconds = time.perf_counter() - began
                self._metrics.count_request(method, route, status, seconds)

        return measured_app

    async def health(self, request: Request) -> Response:
        if self.is_leaving:
            return _unavailable("the server is shutting down")
        if not await self._check.is_up():
            return _unavailable("the database does not answer")
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        is_up = await self._check.is_up()
        runs = await self._check.runs_by_status() if is_up else None
        text = self._metrics.text(database_up=is_up, runs=runs)
        return Response(text, media_type="text/plain; version=0.0.4")


def _unavailable(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, 503)
