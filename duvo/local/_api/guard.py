"""The guard before the routes: keys, hosts and origins, the rate limit, common headers."""

from __future__ import annotations

import time
import uuid
from urllib.parse import quote, urlsplit

import attrs
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._store.api_errors import ApiError
from .._text import logger
from . import page, ports
from .endpoint import Endpoint
from .long_poll import MAX_WAIT
from .rate_limit import RateLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._monitoring.routes import Monitoring

UNEXPECTED = ApiError(500, "the server failed; see its log")


@attrs.frozen
class Guard:
    """Wraps the routes: refuses unauthorized requests, and adds headers to every response."""

    _app: ASGIApp
    _endpoint: Endpoint
    _rate_limit: RateLimit | None
    _monitoring: Monitoring | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        extra = {
            "x-request-id": f"req_{uuid.uuid4().hex}",
            "duvo-idempotency": "honoured",
            "duvo-long-poll": str(MAX_WAIT),
            "duvo-created-since": "honoured",
        }
        if self._monitoring is not None and self._monitoring.is_leaving:
            # A load balancer must not send the next request here.
            extra["connection"] = "close"

        begun = ended = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(extra)
            await send(message)

        try:
            try:
                self._check(scope["path"], headers, extra)
            except ApiError as error:
                await error_response(error)(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        except Exception as error:
            _log(scope, error)
            if not begun:
                await error_response(UNEXPECTED)(scope, receive, send_with_headers)
            elif not ended:
                # Breaks the connection: half a response must not look complete.
                raise

    def _check(self, path: str, headers: Headers, extra: dict[str, str]) -> None:
        monitoring = self._monitoring
        if monitoring and path == monitoring.HEALTH:
            # It reveals nothing about runs, and simple probes send no Host.
            return
        self._check_origin(headers)
        open_paths = (page.PATH, monitoring and monitoring.METRICS)
        if path in open_paths and self._endpoint.is_loopback:
            return
        if not self._endpoint.keys.accept(headers.get("authorization", "")):
            raise ApiError(
                401, "the key is missing or not this server's; send Authorization: Bearer <key>"
            )
        if self._rate_limit is not None:
            limits = self._rate_limit.count(time.time())
            extra |= limits
            if "retry-after" in limits:
                raise ApiError(
                    429,
                    f"more than {self._rate_limit.limit} requests a minute; "
                    f"wait {limits['retry-after']} s",
                )

    def _check_origin(self, headers: Headers) -> None:
        if not self._endpoint.is_loopback:
            _check_same_origin(headers)
            return
        # A web page may give this machine a host name of its own (DNS rebinding).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own_host(f"//{hosts[0]}"):
            raise ApiError(403, "this server is for loopback only; the Host header is not loopback")
        for origin in headers.getlist("origin"):
            if not self._is_own_host(origin):
                raise ApiError(403, "requests from web pages of other origins are refused")

    def _is_own_host(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return name in ("localhost", self._endpoint.host_name) or ports.is_loopback(name)


def error_response(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body(), error.status)


def _log(scope: Scope, error: Exception) -> None:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    logger.error("%s %s: %s", scope["method"], quote(scope["path"]), text)
    logger.debug("where it failed:", exc_info=error)


def _check_same_origin(headers: Headers) -> None:
    # Any Host is allowed: load balancers have names of their own. DNS rebinding gains nothing
    # here: a browser has no key to send along, and what needs no key reveals nothing.
    host = headers.get("host", "").lower()
    for origin in headers.getlist("origin"):
        if origin.lower() not in (f"https://{host}", f"http://{host}"):
            raise ApiError(403, "requests from web pages of other origins are refused")
