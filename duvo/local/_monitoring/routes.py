"""What load balancers and Prometheus ask a server for."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .._api.guard import HEALTH, METRICS
from .._api.long_poll import LongPolls
from .._database.database import Store
from .._database.health import DatabaseCheck
from .._execution.engine import Engine
from .._store.counters import on_commit
from .metrics import CONTENT_TYPE, Metrics
from .middleware import Measured


class Monitoring:
    """Answers `/health` and `/metrics`.

    Attributes:
        leaving: whether the server is about to end, and wants no new work.
    """

    def __init__(self, check: DatabaseCheck, metrics: Metrics):
        self.leaving = False
        self._check = check
        self._metrics = metrics

    @property
    def routes(self) -> list[Route]:
        """Where it is asked."""
        return [Route(HEALTH, self.health), Route(METRICS, self.metrics)]

    def measuring(self, app: ASGIApp, routes: Iterable[Route]) -> ASGIApp:
        """The application, with its requests counted by these routes."""
        return Measured(app, routes, self._metrics)

    async def health(self, request: Request) -> Response:
        if self.leaving:
            return _unavailable("the server is shutting down")
        if not await self._check.is_there():
            return _unavailable("the database does not answer")
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        database_up = await self._check.is_there()
        runs = await self._check.runs_by_status() if database_up else None
        text = self._metrics.text(database_up=database_up, runs=runs)
        return Response(text, headers={"content-type": CONTENT_TYPE})


def monitoring_of(engine: Engine, store: Store, long_polls: LongPolls) -> Monitoring:
    """What tells of this engine from now on."""
    metrics = Metrics(turns=lambda: engine.turn_count, long_polls=lambda: long_polls.held)
    on_commit(store.engine, metrics.count_committed)
    return Monitoring(DatabaseCheck(store.engine), metrics)


def _unavailable(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, 503)
