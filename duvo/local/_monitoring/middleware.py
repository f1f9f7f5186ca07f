"""Counts requests by route, not by path: there is no limit to the number of paths."""

from __future__ import annotations

import time
from collections.abc import Iterable

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OTHER = "other"


def measured(app: ASGIApp, routes: Iterable[Route], metrics: Metrics) -> ASGIApp:
    """Return the application with its requests counted."""
    templates: dict[object, str] = {route.endpoint: route.path for route in routes}

    async def measured_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
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
            metrics.count_request(method, route, status, time.perf_counter() - began)

    return measured_app
