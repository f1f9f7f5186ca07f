"""The routes for load balancers and Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .._database.health import DatabaseCheck
from .._store.counters import on_commit
from .metrics import CONTENT_TYPE, Metrics
from .middleware import measured


class Monitoring:
    """Serves `/health` and `/metrics`; `turns` and `held_polls` return the current numbers.

    Attributes:
        is_leaving: whether the server shuts down and takes no new work.
    """

    HEALTH = "/health"
    METRICS = "/metrics"

    def __init__(
        self, database: sa.Engine, *, turns: Callable[[], int], held_polls: Callable[[], int]
    ):
        self.is_leaving = False
        self._check = DatabaseCheck(database)
        self._metrics = Metrics(turns=turns, held_polls=held_polls)
        on_commit(database, self._metrics.count_committed)

    @property
    def routes(self) -> list[Route]:
        return [Route(self.HEALTH, self.health), Route(self.METRICS, self.metrics)]

    def measured(self, app: ASGIApp, routes: Iterable[Route]) -> ASGIApp:
        """Return the application with its requests counted by these routes."""
        return measured(app, routes, self._metrics)

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
        return Response(text, headers={"content-type": CONTENT_TYPE})


def _unavailable(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, 503)
