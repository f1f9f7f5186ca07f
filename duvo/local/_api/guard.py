"""Who is let in: the holder of a key, and not through somebody's web page.

What goes wrong behind the guard in a way that nobody expected is logged here.
"""

from __future__ import annotations

import logging
import time
import uuid
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._store.refusals import Refused, error_body
from .accepted_keys import AcceptedKeys
from .rate_limit import RateLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._monitoring.routes import Monitoring

logger = logging.getLogger("duvo.local")

LONG_POLL = 25
"""Seconds that a request is held at most; every answer tells it."""

HEALTH = "/health"
METRICS = "/metrics"

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class Guard:
    """Wraps the routes: refuses strangers, and puts the common headers on every answer.

    Args:
        app: the routes.
        keys: what opens them.
        on_loopback: whether the server is reached from this machine alone.
        rate_limit: counts the requests; None for no limit.
        monitoring: what load balancers and Prometheus ask, if it is served.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: AcceptedKeys,
        on_loopback: bool,
        rate_limit: RateLimit | None,
        monitoring: Monitoring | None,
    ):
        self._app = app
        self._keys = keys
        self._on_loopback = on_loopback
        self._rate_limit = rate_limit
        self._monitoring = monitoring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        extra = [
            ("x-request-id", f"req_{uuid.uuid4().hex}"),
            ("duvo-idempotency", "honoured"),
            ("duvo-long-poll", str(LONG_POLL)),
        ]
        if self._monitoring is not None and self._monitoring.leaving:
            # A load balancer must not send the next request here.
            extra.append(("connection", "close"))

        begun = ended = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in extra:
                    answer[name] = value
            await send(message)

        try:
            try:
                self._check(scope["path"], headers, extra)
            except Refused as refused:
                answer = JSONResponse(refused.answer(), refused.status)
                await answer(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        except Exception as error:
            _log(scope, error)
            if not begun:
                await unexpected()(scope, receive, send_with_headers)
            elif not ended:
                # The connection is cut, so that half an answer is not taken for a whole one.
                raise

    def _check(self, path: str, headers: Headers, extra: list[tuple[str, str]]) -> None:
        if self._monitoring is not None and path == HEALTH:
            # It tells nothing about runs, and simple probes send no Host.
            return
        self._check_origin(headers)
        if self._monitoring is not None and path == METRICS and self._on_loopback:
            return
        self._check_key(headers)
        self._count(extra)

    def _check_origin(self, headers: Headers) -> None:
        if not self._on_loopback:
            _check_same_origin(headers)
            return
        # A page that a browser shows may name this machine as its own host (DNS rebinding).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host_name(f"//{hosts[0]}") not in _LOOPBACK:
            raise Refused(403, "this server answers on loopback alone; the Host header is another")
        for origin in headers.getlist("origin"):
            if _host_name(origin) not in _LOOPBACK:
                raise Refused(403, "requests from web pages of other origins are refused")

    def _check_key(self, headers: Headers) -> None:
        if not self._keys.accept(headers.get("authorization", "")):
            raise Refused(
                401, "the key is missing or not this server's; send Authorization: Bearer <key>"
            )

    def _count(self, extra: list[tuple[str, str]]) -> None:
        if self._rate_limit is None:
            return
        standing = self._rate_limit.count(time.time())
        extra += standing.headers()
        if standing.retry_after is not None:
            raise Refused(
                429,
                f"more than {standing.limit} requests a minute; wait {standing.retry_after} s",
            )


def unexpected() -> JSONResponse:
    """The answer to a request that failed in a way that nobody expected."""
    return JSONResponse(error_body(500, "the server failed; its log tells more"), 500)


def _log(scope: Scope, error: Exception) -> None:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    logger.error("%s %s: %s", scope["method"], quote(scope["path"]), text)
    logger.debug("where it failed:", exc_info=error)


def _check_same_origin(headers: Headers) -> None:
    # Any Host will do: it is whatever a load balancer is known by. A page that names this
    # server as its own host (DNS rebinding) gains nothing here: no browser has a key to send
    # along, as it has cookies, and what is answered without a key tells nothing.
    host = headers.get("host", "").lower()
    for origin in headers.getlist("origin"):
        if origin.lower() not in (f"https://{host}", f"http://{host}"):
            raise Refused(403, "requests from web pages of other origins are refused")


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
