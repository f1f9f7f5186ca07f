"""The async transport: sends requests with httpx2."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from .. import _errors
from .._flow.asyncio_tasks import has_failed, in_thread, until
from .failures import Destination, causes_of, tls_reason
from .redirects import Redirects
from .request import default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    import httpx2

    from .environment import Environment
    from .request import Request


_FOREVER = 1e9
"""More seconds than any deadline has."""

_GRACE = 0.05
"""Seconds by which a deadline is enforced later than in the socket, which knows what was sent."""

_KEPT = 60.0
"""Seconds for which an unused connection is kept: longer than the pause between two polls."""


class HttpxTransport:
    """Sends requests, each once. Shared by the tasks of one event loop.

    Args:
        base_url: the API's origin.
        api_key: the key.
        timeout: seconds for each socket operation.
        session: the caller's own `httpx2.AsyncClient`, used unchanged and never
            closed; None to create one.
        user_agent: a prefix for the `User-Agent` header.
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
        self._own: dict[str, asyncio.Future[tuple[httpx2.AsyncClient, Environment]]] = {}
        self._environment: Environment | None = None
        self._headers = default_headers(user_agent)

    async def send(self, request: Request) -> Response:
        """Send a request, and return the response, unchecked.

        Cancelling it closes the connection.

        Raises:
            DuvoError: no complete response arrived.
        """
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
            client = await self._client(redirects.url, request)
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

    async def _client(self, url: str, request: Request) -> httpx2.AsyncClient:
        if self._callers is not None:
            if self._callers.is_closed:
                raise self._refused(request, "your `session` is closed")
            return self._callers
        scheme = urlsplit(url).scheme
        while True:
            opening = self._own.get(scheme)
            if opening is None or has_failed(opening):
                # httpx2 and the SSL context take long to load.
                opening = self._own[scheme] = in_thread(_new_client, url, self._timeout)
            client, self._environment = await asyncio.shield(opening)
            if not client.is_closed:
                return client

    async def aclose(self) -> None:
        """Close the connections; a caller's own session stays open."""
        own, self._own = self._own, {}
        for opening in own.values():
            if not has_failed(opening):
                client, _ = await opening
                await client.aclose()

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
        return _errors.ConfigError(
            f"{request.method} {request.path}: {reason}", method=request.method, path=request.path
        )


def _new_client(url: str, timeout: float) -> tuple[httpx2.AsyncClient, Environment]:
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
        client = httpx2.AsyncClient(
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
    except (ImportError, ValueError) as error:
        raise _errors.ConfigError(
            f"the proxy cannot be used: {error}; see HTTPS_PROXY and NO_PROXY"
        ) from None
    return client, environment
