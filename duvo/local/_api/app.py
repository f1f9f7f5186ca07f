"""The API as an ASGI application, and its server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import uvicorn
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from .._execution.engine import Engine
from .._store.api_errors import ApiError
from .._text import logger, one_line
from ..errors import DatabaseReplaced
from . import page
from .endpoint import Endpoint
from .guard import UNEXPECTED, Guard, error_response
from .long_poll import LongPolls
from .rate_limit import RateLimit
from .routes.agents import AgentRoutes
from .routes.runs import RunRoutes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._monitoring.routes import Monitoring


def make_app(
    engine: Engine,
    long_polls: LongPolls,
    endpoint: Endpoint,
    rate_limit: RateLimit | None,
    monitoring: Monitoring | None,
) -> ASGIApp:
    """Return the API, for the clients that the endpoint accepts."""
    routes = [page.route, *AgentRoutes(engine).routes, *RunRoutes(engine, long_polls).routes]
    if monitoring is not None:
        routes += monitoring.routes
    app = Starlette(
        routes=routes,
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _routing_error,
            # Not left to `Exception`, whose handler raises it again after the response.
            DBAPIError: _database_error,
            DatabaseReplaced: _database_replaced,
            Exception: _unexpected_error,
        },
    )
    app.router.redirect_slashes = False
    guard = Guard(app, endpoint, rate_limit, monitoring)
    return guard if monitoring is None else monitoring.measured(guard, routes)


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, listening: socket.socket, tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve on the running loop inside the block; then open connections have a second to end."""
    # The process's signals and logging are left alone.
    config = uvicorn.Config(
        app,
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        # Longer than clients keep idle connections: none is closed just as it is used.
        timeout_keep_alive=75,
    )
    config.load()
    # The endpoint's own context, so that a renewed certificate can be loaded while serving.
    config.ssl = tls
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if task.done():
            task.result()
        yield
    finally:
        server.should_exit = True
        await task


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    response = error_response(error)
    if error.status == 413:
        # The rest of the unread body must not be taken for the next request.
        response.headers["connection"] = "close"
    return response


async def _database_error(request: Request, error: Exception) -> Response:
    reason = one_line(error)
    logger.error("%s %s: the database failed: %s", request.method, request.url.path, reason)
    return error_response(ApiError(500, "the database failed; see the server's log"))


async def _database_replaced(request: Request, error: Exception) -> Response:
    response = error_response(ApiError(503, "the database was removed or replaced"))
    # Means that nothing was done: the client may send the request elsewhere.
    response.headers["retry-after"] = "1"
    return response


async def _unexpected_error(request: Request, error: Exception) -> Response:
    # The exception is raised again after the response, and the guard logs it.
    return error_response(UNEXPECTED)


async def _routing_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {404: "there is no such path", 405: f"{request.method} is not possible here"}
    response = error_response(
        ApiError(error.status_code, messages.get(error.status_code, error.detail))
    )
    response.headers.update(error.headers or {})
    return response
