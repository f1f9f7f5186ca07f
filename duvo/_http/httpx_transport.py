"""The async transport: sends requests with httpx2."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from .. import _errors
from .._connections.asynchronous import Sending
from .._flow.asyncio_tasks import has_failed, in_thread, until
from .failures import Destination, causes_of, tls_reason
from .request import Redirects, default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from .._connections.environment import Environment
    from .httpx_sessions import HttpxSessions
    from .request import Request


_FOREVER = 1e9
"""More seconds than any deadline has."""

_GRACE = 0.05
"""Seconds by which a deadline is enforced later than in the socket, which knows what was sent."""


class HttpxTransport:
    """Sends requests, each once. Shared by the tasks of one event loop.

    A caller's own `session` is used unchanged and never closed.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float,
        session: httpx2.AsyncClient | None,
        user_agent: str | None,
        engine: str | None = None,
    ):
        self._base_url = base_url
        self._authorization = f"Bearer {api_key}"
        self._destination = Destination(base_url, api_key, engine)
        self._timeout = timeout
        self._callers = session
        self._own: dict[str, asyncio.Future[HttpxSessions]] = {}
        self._environment: Environment | None = None
        self._headers = default_headers(user_agent)

    async def send(self, request: Request) -> Response:
        """Send a request, and return the response, unchecked. Cancelling closes the connection."""
        seconds = None
        if request.deadline is not None and request.deadline.timeout is not None:
            seconds = request.seconds(_FOREVER) + _GRACE
        sending = Sending(is_callers=self._callers is not None)
        try:
            return await until(self._exchange(request, sending), seconds=seconds)
        except _errors.DuvoError:
            raise
        except Exception as error:
            failure = self._explain(error, request, sending)
            if failure is None:
                raise
            raise failure from None
        except BaseException:
            # A cancellation.
            request.may_be_sent = sending.has_begun is not False
            raise

    async def _exchange(self, request: Request, sending: Sending) -> Response:
        send = self._send if self._callers is None else self._send_with_callers
        redirects = Redirects(self._base_url, request)
        while True:
            sending.has_begun = False
            try:
                async with send(redirects.url, request, sending) as response:
                    if response.status_code < 200:
                        raise self._destination.interim(request, response.status_code)
                    if sending.has_begun is False and self._callers is None:
                        raise self._destination.unasked(request)
                    location = response.headers.get("location")
                    if redirects.follow(response.status_code, location):
                        continue
                    content = await response.aread()
                    return Response(response.status_code, response.headers, content)
            except _errors.DuvoError:
                raise
            except Exception as error:
                raised = _raised_for_status(error)
                if raised is None:
                    raise
            if not redirects.follow(raised.status, raised.headers.get("location")):
                return raised

    @contextlib.asynccontextmanager
    async def _send(
        self, url: str, request: Request, sending: Sending
    ) -> AsyncIterator[httpx2.Response]:
        sessions = await self._sessions(url)
        async with sessions.one(is_change=request.is_change) as session:
            sending.has_begun = None
            response = await session.send(
                request.method,
                url,
                content=request.content,
                headers={
                    **self._headers,
                    **request.headers,
                    "Authorization": self._authorization,
                },
                timeout=request.seconds(self._timeout),
                trace=sending.trace,
            )
            try:
                yield response
            finally:
                await response.aclose()

    @contextlib.asynccontextmanager
    async def _send_with_callers(
        self, url: str, request: Request, sending: Sending
    ) -> AsyncIterator[httpx2.Response]:
        assert self._callers is not None
        if self._callers.is_closed:
            raise self._refused(request, "your `session` is closed")
        sending.has_begun = None
        async with self._callers.stream(
            request.method,
            url,
            content=request.content,
            headers={**self._headers, **request.headers},
            # A callable takes precedence over ~/.netrc and the session's auth.
            auth=self._authorize,
            timeout=request.seconds(self._timeout),
            follow_redirects=False,
            extensions={"trace": sending.trace},
        ) as response:
            yield response

    def _authorize(self, request: httpx2.Request) -> httpx2.Request:
        request.headers["Authorization"] = self._authorization
        return request

    async def _sessions(self, url: str) -> HttpxSessions:
        scheme = urlsplit(url).scheme
        while True:
            opening = self._own.get(scheme)
            if opening is None or has_failed(opening):
                # httpx2 and the SSL context take long to load.
                opening = self._own[scheme] = in_thread(_open, url)
            sessions = await asyncio.shield(opening)
            if not sessions.is_closed:
                break
        self._environment = sessions.environment
        return sessions

    async def aclose(self) -> None:
        """Close the connections, each when its request has ended; a caller's session stays open."""
        own, self._own = self._own, {}
        for opening in own.values():
            if not has_failed(opening):
                await (await asyncio.shield(opening)).aclose()

    def _explain(
        self, error: Exception, request: Request, sending: Sending
    ) -> _errors.DuvoError | None:
        """Return the error of ours for an error of httpx2, or None for another's."""
        import httpx2

        destination, causes = self._destination, causes_of(error)
        reason = destination.reason(causes)
        never_sent = (
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.PoolTimeout,
            httpx2.ProxyError,
        )
        arrived = sending.has_begun
        if arrived is None:  # it is a caller's session, or a mock
            arrived = not isinstance(error, never_sent)
        if isinstance(error, asyncio.TimeoutError):
            return destination.timed_out(request, self._timeout, arrived=arrived)
        refused = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeEncodeError)
        if isinstance(error, refused) or (isinstance(error, ValueError) and not arrived):
            return self._refused(request, reason)
        # A ValueError may be about the response, as a session's hook reads it.
        if not isinstance(error, (httpx2.RequestError, httpx2.StreamError, OSError, ValueError)):
            return None
        if isinstance(error, httpx2.RequestError):
            # What is chained may be printed, and the request has the key in its headers.
            error.request = None  # type: ignore[assignment]
        if isinstance(error, httpx2.TimeoutException):
            return destination.timed_out(request, self._timeout, arrived=arrived)
        environment = self._environment
        if (untrusted := tls_reason(causes)) and not arrived:
            trust = "the caller's session" if environment is None else environment.trust
            return destination.untrusted(request, untrusted, trust)
        if isinstance(error, httpx2.LocalProtocolError):
            return self._refused(request, reason)
        has_proxy = environment is not None and environment.proxy is not None
        if isinstance(error, httpx2.ProxyError) or (has_proxy and not arrived):
            return destination.not_through_proxy(request, reason)
        if isinstance(error, httpx2.ConnectError):
            return destination.unreachable(request, reason)
        return destination.broken(request, reason, arrived=arrived)

    def _refused(self, request: Request, reason: str) -> _errors.ConfigError:
        return request.error(_errors.ConfigError, f": {reason}")


def _raised_for_status(error: Exception) -> Response | None:
    """Return the response for whose status a caller's session raised this error, or None."""
    import httpx2

    if not isinstance(error, httpx2.HTTPStatusError):
        return None
    response = error.response
    try:
        content = response.content
    except httpx2.ResponseNotRead:
        content = b""
    return Response(response.status_code, response.headers, content)


def _open(url: str) -> HttpxSessions:
    from .httpx_sessions import HttpxSessions

    return HttpxSessions(url)
