"""The async transport: sends one request by httpx2."""

from __future__ import annotations

import asyncio
from functools import partial

from .. import _errors
from .failures import Destination, causes_of, tls_reason
from .redirects import Redirects
from .request import default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from .request import Request


_FOREVER = 1e9
"""Seconds beyond any deadline."""

_MOST_IN_POOL = 16
"""Requests at once in one pool: httpx2 examines every connection of a pool twice a request."""

_KEPT = 5.0
"""Seconds before a pool that is not needed any more is closed."""


class _Pool:
    """A client of httpx2, which has a pool of connections.

    Attributes:
        client: the client.
        busy: requests that it is sending or reading.
        used_at: when the last of them ended, on the loop's clock.
    """

    __slots__ = ("busy", "client", "used_at")

    def __init__(self, client: httpx2.AsyncClient):
        self.client = client
        self.busy = 0
        self.used_at = 0.0


class HttpxTransport:
    """Sends requests, each once. Tasks of one event loop share it.

    Args:
        base_url: the API's origin.
        api_key: the key.
        timeout: seconds for each socket operation.
        session: the caller's own `httpx2.AsyncClient`, used unchanged and never
            closed; None for one of ours.
        user_agent: put before ours in `User-Agent`.
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
        self._callers = None if session is None else _Pool(session)
        self._pools: list[_Pool] = []
        self._new_client: Callable[[], httpx2.AsyncClient] | None = None
        self._opening: asyncio.Future[tuple[Callable[[], httpx2.AsyncClient], str]] | None = None
        self._trust = "the caller's session"
        self._headers = default_headers(user_agent)

    async def send(self, request: Request) -> Response:
        """Send a request, and return the response as it came.

        Cancelling it closes the connection.

        Raises:
            DuvoError: no whole response came.
        """
        pool = self._callers or self._pool_with_room(self._new_client or await self._open())
        import httpx2

        has_deadline = request.deadline is not None and request.deadline.timeout is not None
        seconds = request.seconds(_FOREVER) if has_deadline else None
        pool.busy += 1
        try:
            await self._close_unneeded()
            return await asyncio.wait_for(self._exchange(pool.client, request), seconds)
        except asyncio.TimeoutError:
            raise self._destination.timed_out(request, self._timeout, arrived=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            # What is chained may be printed, and the request has the key in its headers.
            if isinstance(error, httpx2.RequestError):
                error.request = None  # type: ignore[assignment]
            raise self._explain(error, request) from error
        finally:
            pool.busy -= 1
            pool.used_at = _now()

    async def _exchange(self, client: httpx2.AsyncClient, request: Request) -> Response:
        redirects = Redirects(self._base_url, request)
        while True:
            async with client.stream(
                request.method,
                redirects.url,
                content=request.content,
                headers={**self._headers, **request.headers},
                # A callable beats both ~/.netrc and what the session itself has.
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

    def _pool_with_room(self, new_client: Callable[[], httpx2.AsyncClient]) -> _Pool:
        for pool in self._pools:
            if pool.busy < _MOST_IN_POOL:
                return pool
        self._pools.append(_Pool(new_client()))
        return self._pools[-1]

    async def _close_unneeded(self) -> None:
        # Requests go to the first pool that has room, so the last one becomes unneeded first.
        if len(self._pools) > 1:
            last = self._pools[-1]
            if not last.busy and _now() - last.used_at > _KEPT:
                self._pools.pop()
                await last.client.aclose()

    async def _open(self) -> Callable[[], httpx2.AsyncClient]:
        # httpx2 and the SSL context take long to load: they are loaded in a thread.
        if self._opening is None:
            self._opening = asyncio.ensure_future(
                asyncio.to_thread(_load, self._base_url, self._timeout)
            )
        opening = self._opening
        try:
            new_client, self._trust = await asyncio.shield(opening)
        except Exception:
            if self._opening is opening:
                self._opening = None
            raise
        self._new_client = new_client
        return new_client

    async def aclose(self) -> None:
        """Close the connections; a caller's own session stays open."""
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.client.aclose()

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
            return _errors.ConfigError(
                f"{request.method} {request.path}: {reason}",
                method=request.method,
                path=request.path,
            )
        return destination.broken(request, reason)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _load(base_url: str, timeout: float) -> tuple[Callable[[], httpx2.AsyncClient], str]:
    """Return what makes a client of httpx2, and which CA file is in force."""
    try:
        import httpx2
    except ModuleNotFoundError:
        raise _errors.ConfigError(
            "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`"
        ) from None
    from .environment import Environment

    environment = Environment(base_url)
    context = environment.context or httpx2.create_ssl_context(trust_env=False)
    return partial(
        httpx2.AsyncClient,
        # Neither the environment nor ~/.netrc: they are read once, by the same rules
        # as those of the blocking client.
        trust_env=False,
        timeout=timeout,
        # A limit would make other requests wait for those that the server holds.
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        verify=context,
        proxy=environment.proxy,
    ), environment.trust
