"""The async transport: sends requests with httpx2."""

from __future__ import annotations

import asyncio

from .. import _errors
from .failures import Destination, causes_of, tls_reason
from .redirects import Redirects
from .request import default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import httpx2

    from .request import Request


_FOREVER = 1e9
"""More seconds than any deadline has."""


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
    ):
        self._base_url = base_url
        self._api_key = api_key
        self._destination = Destination(base_url, api_key)
        self._timeout = timeout
        self._callers = session
        self._own: httpx2.AsyncClient | None = None
        self._opening: asyncio.Future[tuple[httpx2.AsyncClient, str]] | None = None
        self._trust = "the caller's session"
        self._headers = default_headers(user_agent)

    async def send(self, request: Request) -> Response:
        """Send a request, and return the response, unchecked. Cancelling closes the connection."""
        client = self._callers or self._own or await self._open()
        import httpx2

        has_deadline = request.deadline is not None and request.deadline.timeout is not None
        seconds = request.seconds(_FOREVER) if has_deadline else None
        try:
            return await asyncio.wait_for(self._exchange(client, request), seconds)
        except asyncio.TimeoutError:
            raise self._destination.timed_out(request, self._timeout, arrived=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            # The cause may be printed, and its request has the key in the headers.
            if isinstance(error, httpx2.RequestError):
                error.request = None  # type: ignore[assignment]
            raise self._explain(error, request) from error

    async def _exchange(self, client: httpx2.AsyncClient, request: Request) -> Response:
        redirects = Redirects(self._base_url, request)
        while True:
            async with client.stream(
                request.method,
                redirects.url,
                content=request.content,
                headers={**self._headers, **request.headers},
                # A callable takes precedence over ~/.netrc and the auth of the session.
                auth=self._authorize,
                timeout=request.seconds(self._timeout),
                follow_redirects=False,
            ) as response:
                if not redirects.follow(response.status_code, response.headers.get("location")):
                    content = await response.aread()
                    return Response(response.status_code, response.headers, content)

    def _authorize(self, request: httpx2.Request) -> httpx2.Request:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    async def _open(self) -> httpx2.AsyncClient:
        # In a thread: httpx2 and the SSL context take long to load.
        if self._opening is None:
            self._opening = asyncio.ensure_future(
                asyncio.to_thread(_new_client, self._base_url, self._timeout)
            )
        opening = self._opening
        try:
            client, self._trust = await asyncio.shield(opening)
        except Exception:
            if self._opening is opening:
                self._opening = None
            raise
        self._own = client
        return client

    async def aclose(self) -> None:
        """Close the connections; a caller's own session stays open."""
        own, self._own, self._opening = self._own, None, None
        if own is not None:
            await own.aclose()

    def _explain(self, error: Exception, request: Request) -> _errors.DuvoError:
        import httpx2

        causes = causes_of(error)
        destination = self._destination
        arrived = not isinstance(
            error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
        )
        if isinstance(error, httpx2.TimeoutException):
            return destination.timed_out(request, self._timeout, arrived=arrived)
        if untrusted := tls_reason(causes):
            return destination.untrusted(request, untrusted, self._trust)
        reason = destination.reason(causes)
        if isinstance(error, httpx2.ProxyError):
            return destination.not_through_proxy(request, reason, arrived=False)
        if not arrived:
            return destination.unreachable(request, reason)
        if not isinstance(error, httpx2.TransportError) or isinstance(
            error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
        ):
            return request.error(_errors.ConfigError, f": {reason}")
        return destination.broken(request, reason)


def _new_client(base_url: str, timeout: float) -> tuple[httpx2.AsyncClient, str]:
    try:
        import httpx2
    except ModuleNotFoundError:
        raise _errors.ConfigError(
            "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`"
        ) from None
    from .environment import Environment

    environment = Environment(base_url)
    options: dict[str, Any] = {}
    if environment.context is not None:
        options["verify"] = environment.context
    if environment.proxy is not None:
        options["proxy"] = environment.proxy
    client = httpx2.AsyncClient(
        # Proxies and CA files are read by the rules of the blocking client.
        trust_env=False,
        timeout=timeout,
        # With a limit, requests that the server holds would block others.
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        **options,
    )
    return client, environment.trust
