"""The async transport: sends requests with httpx2."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from urllib.parse import urlsplit

from .. import _errors
from .._flow.asyncio_tasks import has_failed, in_thread, until
from .failures import Destination, causes_of, tls_reason
from .redirects import Redirects
from .request import default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx2

    from .environment import Environment
    from .request import Request


_FOREVER = 1e9
"""More seconds than any deadline has."""

_GRACE = 0.05
"""Seconds by which a deadline is enforced later than in the socket, which knows what was sent."""

_KEPT = 60.0
"""Seconds for which an unused connection is kept: longer than the pause between two polls."""

_MOST_IN_POOL = 16
"""Requests that share a pool at the same time."""


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
        self._own: dict[str, asyncio.Future[_Pools]] = {}
        self._environment: Environment | None = None
        self._headers = default_headers(user_agent)

    async def send(self, request: Request) -> Response:
        """Send a request, and return the response, unchecked. Cancelling closes the connection."""
        seconds = None
        if request.deadline is not None and request.deadline.timeout is not None:
            seconds = request.seconds(_FOREVER) + _GRACE
        try:
            return await until(self._exchange(request), seconds=seconds)
        except _errors.DuvoError:
            raise
        except Exception as error:
            failure = self._explain(error, request)
            if failure is None:
                raise
            raise failure from error

    async def _exchange(self, request: Request) -> Response:
        redirects = Redirects(self._base_url, request)
        while True:
            async with (
                self._client(redirects.url, request) as client,
                client.stream(
                    request.method,
                    redirects.url,
                    content=request.content,
                    headers={**self._headers, **request.headers},
                    # A callable takes precedence over ~/.netrc and the auth of the session.
                    auth=self._authorize,
                    timeout=request.seconds(self._timeout),
                    follow_redirects=False,
                ) as response,
            ):
                if not redirects.follow(response.status_code, response.headers.get("location")):
                    content = await response.aread()
                    return Response(response.status_code, response.headers, content)

    def _authorize(self, request: httpx2.Request) -> httpx2.Request:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    @contextlib.asynccontextmanager
    async def _client(self, url: str, request: Request) -> AsyncIterator[httpx2.AsyncClient]:
        if self._callers is not None:
            if self._callers.is_closed:
                raise self._refused(request, "your `session` is closed")
            yield self._callers
            return
        pools = await self._open(url)
        self._environment = pools.environment
        async with pools.client() as client:
            yield client

    async def _open(self, url: str) -> _Pools:
        scheme = urlsplit(url).scheme
        while True:
            opening = self._own.get(scheme)
            if opening is None or has_failed(opening):
                # httpx2 and the SSL context take long to load.
                opening = self._own[scheme] = in_thread(_new_pools, url, self._timeout)
            pools = await asyncio.shield(opening)
            if not pools.is_closed:
                return pools

    async def aclose(self) -> None:
        """Close the connections; a caller's own session stays open."""
        own, self._own = self._own, {}
        for opening in own.values():
            if not has_failed(opening):
                pools = await opening
                await pools.aclose()

    def _explain(self, error: Exception, request: Request) -> _errors.DuvoError | None:
        """Return the error of ours for an error of httpx2, or None for another's."""
        import httpx2

        destination, causes = self._destination, causes_of(error)
        reason = destination.reason(causes)
        if isinstance(error, asyncio.TimeoutError):
            return destination.timed_out(request, self._timeout, arrived=True)
        if isinstance(error, (httpx2.InvalidURL, httpx2.UnsupportedProtocol)) or (
            isinstance(error, ValueError) and not isinstance(error, OSError)
        ):
            return self._refused(request, reason)
        if not isinstance(error, (httpx2.RequestError, OSError)):
            return None
        if isinstance(error, httpx2.RequestError):
            # What is chained may be printed, and the request has the key in its headers.
            error.request = None  # type: ignore[assignment]
        arrived = not isinstance(
            error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
        )
        if isinstance(error, httpx2.TimeoutException):
            return destination.timed_out(request, self._timeout, arrived=arrived)
        if untrusted := tls_reason(causes):
            environment = self._environment
            trust = "the caller's session" if environment is None else environment.trust
            return destination.untrusted(request, untrusted, trust)
        if isinstance(error, httpx2.LocalProtocolError):
            return self._refused(request, reason)
        has_proxy = self._environment is not None and self._environment.proxy is not None
        if isinstance(error, httpx2.ProxyError) or (has_proxy and not arrived):
            return destination.not_through_proxy(request, reason, arrived=False)
        if not arrived:
            return destination.unreachable(request, reason)
        return destination.broken(request, reason)

    def _refused(self, request: Request, reason: str) -> _errors.ConfigError:
        return request.error(_errors.ConfigError, f": {reason}")


class _Pool:
    """A client of httpx2 with its pool of connections, and how many requests use it."""

    def __init__(self, client: httpx2.AsyncClient):
        self.client = client
        self.busy = 0
        # When the last of them ended, on the loop's clock.
        self.used_at = 0.0


class _Pools:
    """Pools of few connections, as many as are needed.

    httpx2 examines all connections of a pool twice a request, which takes
    longer than the request where there are hundreds.
    """

    def __init__(self, new_client: Callable[[], httpx2.AsyncClient], environment: Environment):
        self.environment = environment
        self.is_closed = False
        self._new_client = new_client
        self._all = [_Pool(new_client())]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a client for one request."""
        pool = self._with_room()
        pool.busy += 1
        try:
            await self._close_unused()
            yield pool.client
        finally:
            pool.busy -= 1
            pool.used_at = _now()

    def _with_room(self) -> _Pool:
        for pool in self._all:
            if pool.busy < _MOST_IN_POOL:
                return pool
        self._all.append(_Pool(self._new_client()))
        return self._all[-1]

    async def _close_unused(self) -> None:
        # The first pool with room is taken, so the last one is the first without use.
        last = self._all[-1]
        if len(self._all) > 1 and not last.busy and _now() - last.used_at > _KEPT:
            self._all.pop()
            await last.client.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        self.is_closed = True
        for pool in self._all:
            await pool.client.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _new_pools(url: str, timeout: float) -> _Pools:
    try:
        import httpx2
    except ModuleNotFoundError:
        raise _errors.ConfigError(
            "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`"
        ) from None
    import ssl

    from .environment import Environment

    environment = Environment(url)
    # Without TLS none is needed, and loading the CA file takes long; this one trusts nobody.
    context = environment.context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        new_client = partial(
            httpx2.AsyncClient,
            # Neither the environment nor ~/.netrc: they are read once, by the same rules
            # as those of the blocking client.
            trust_env=False,
            timeout=timeout,
            verify=context,
            proxy=None if environment.proxy is None else httpx2.Proxy(environment.proxy),
            # A limit would make other requests wait for those that the server holds.
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT
            ),
        )
        return _Pools(new_client, environment)
    except (ImportError, ValueError) as error:
        raise _errors.ConfigError(
            f"the proxy cannot be used: {error}; see HTTPS_PROXY and NO_PROXY"
        ) from None
