"""Sessions of httpx2: one for each request at a time, with one SSL context for all of them."""

from __future__ import annotations

import contextlib
import ssl
from collections import deque

from .._connections.environment import Environment, needs
from .._connections.idle import LONGEST_IDLE, IdleTime
from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx2

_KEPT = 60.0
"""Seconds for which an unused connection is kept: longer than the pause between two polls."""


class HttpxSession:
    """One connection to an origin, opened when it is needed.

    A transport of httpx2 does all that its client does for us, in less time. A transport
    looks at all its connections whenever one is wanted. With hundreds of requests at a
    time that would be most of the work, so each has one, as each thread has with requests.

    Attributes:
        idle: how long it has been unused.
    """

    def __init__(self, transport: httpx2.AsyncHTTPTransport, cookies: httpx2.Cookies):
        self.idle = IdleTime()
        self._transport = transport
        self._cookies = cookies

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,
        trace: Callable[..., Awaitable[None]],
    ) -> httpx2.Response:
        """Send a request; return the response, whose body is not read."""
        import httpx2

        request = httpx2.Request(
            method,
            url,
            headers={"Accept-Encoding": "gzip, deflate", **headers},
            content=content,
            extensions={"timeout": httpx2.Timeout(timeout).as_dict(), "trace": trace},
        )
        if self._cookies:
            self._cookies.set_cookie_header(request)
        response = await self._transport.handle_async_request(request)
        if "set-cookie" in response.headers:
            response.request = request
            self._cookies.extract_cookies(response)
        return response

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


class HttpxSessions:
    """The sessions for one origin, which share their cookies. Making this object takes long.

    Args:
        url: of the origin.

    Attributes:
        environment: the proxies and the SSL context of every session.
        is_closed: whether sessions are closed after their last request.

    Raises:
        ConfigError: httpx2 is not installed, or the environment cannot be used.
    """

    def __init__(self, url: str):
        self.environment = Environment(url)
        self.is_closed = False
        # Without TLS no CA file is loaded: this context trusts nobody.
        has_tls = url.startswith("https:")
        self._context = (
            self.environment.context if has_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        # The longest unused first.
        self._unused: deque[HttpxSession] = deque()
        try:
            import httpx2

            self._cookies = httpx2.Cookies()
            self._unused.append(self._new())
        except ModuleNotFoundError:
            raise ConfigError(
                "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`"
            ) from None
        except ImportError:
            raise needs("socksio") from None
        except ValueError as error:
            raise ConfigError(
                f"the proxy cannot be used: {error}; see HTTPS_PROXY and NO_PROXY"
            ) from None

    def _new(self) -> HttpxSession:
        import httpx2

        proxy = None
        if (proxy_url := self.environment.proxy) is not None:
            if proxy_url.lower().startswith("socks4"):
                raise ValueError("AsyncClient supports socks5:// and socks5h://, not SOCKS 4")
            has_tls = proxy_url.lower().startswith("https:")
            context = self.environment.context if has_tls else None
            proxy = httpx2.Proxy(proxy_url, ssl_context=context)
        transport = httpx2.AsyncHTTPTransport(
            # Neither the environment nor ~/.netrc: they are read once, by the same rules
            # as those of the blocking client.
            trust_env=False,
            verify=self._context,
            proxy=proxy,
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT
            ),
        )
        return HttpxSession(transport, self._cookies)

    @contextlib.asynccontextmanager
    async def one(self, *, is_change: bool) -> AsyncIterator[HttpxSession]:
        """Lend a session for one request; for a change, with no connection that was long idle."""
        session = self._take(LONGEST_IDLE if is_change else _KEPT)
        try:
            yield session
        finally:
            session.idle.begin()
            self._unused.append(session)
            await self._close_unused(-1.0 if self.is_closed else _KEPT)

    def _take(self, longest_idle: float) -> HttpxSession:
        if self._unused and self._unused[-1].idle.seconds() <= longest_idle:
            return self._unused.pop()
        return self._new()

    async def aclose(self) -> None:
        """Close all connections, each when its request has ended."""
        self.is_closed = True
        await self._close_unused(-1.0)

    async def _close_unused(self, longest_idle: float) -> None:
        while self._unused and self._unused[0].idle.seconds() > longest_idle:
            await self._unused.popleft().aclose()
