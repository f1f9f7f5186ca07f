"""Clients of httpx2: one for each request at a time, with one SSL context for all of them."""

from __future__ import annotations

import contextlib
import ssl
from collections import deque

from .._connections.environment import Environment, needs
from .._connections.idle import LONGEST_IDLE, IdleTime
from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

_KEPT = 60.0
"""Seconds for which an unused connection is kept: longer than the pause between two polls."""


class HttpxSessions:
    """The clients of httpx2 for one origin. Making this object takes long.

    A client of httpx2 looks at all its connections whenever one is wanted. With
    hundreds of requests at a time that would be most of the work, so each client
    has one connection, as each thread has with requests.

    Args:
        url: of the origin.
        timeout: seconds for each socket operation.

    Attributes:
        environment: the proxies and the SSL context of every client.
        is_closed: whether clients are closed after their last request.

    Raises:
        ConfigError: httpx2 is not installed, or the environment cannot be used.
    """

    def __init__(self, url: str, timeout: float):
        self.environment = Environment(url)
        self.is_closed = False
        # Without TLS no CA file is loaded: this context trusts nobody.
        has_tls = url.startswith("https:")
        self._context = (
            self.environment.context if has_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        self._timeout = timeout
        # The longest unused first.
        self._unused: deque[tuple[httpx2.AsyncClient, IdleTime]] = deque()
        try:
            self._unused.append((self._new(), IdleTime()))
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

    def _new(self) -> httpx2.AsyncClient:
        import httpx2

        proxy = None
        if (proxy_url := self.environment.proxy) is not None:
            if proxy_url.lower().startswith("socks4"):
                raise ValueError("AsyncClient supports socks5:// and socks5h://, not SOCKS 4")
            has_tls = proxy_url.lower().startswith("https:")
            context = self.environment.context if has_tls else None
            proxy = httpx2.Proxy(proxy_url, ssl_context=context)
        return httpx2.AsyncClient(
            # Neither the environment nor ~/.netrc: they are read once, by the same rules
            # as those of the blocking client.
            trust_env=False,
            timeout=self._timeout,
            verify=self._context,
            proxy=proxy,
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT
            ),
        )

    @contextlib.asynccontextmanager
    async def one(self, *, is_change: bool) -> AsyncIterator[httpx2.AsyncClient]:
        """Lend a client for one request; for a change, with no connection that was long idle."""
        client = self._take(LONGEST_IDLE if is_change else _KEPT)
        try:
            yield client
        finally:
            self._unused.append((client, IdleTime()))
            await self._close_unused(-1.0 if self.is_closed else _KEPT)

    def _take(self, longest_idle: float) -> httpx2.AsyncClient:
        if self._unused and self._unused[-1][1].seconds() <= longest_idle:
            return self._unused.pop()[0]
        return self._new()

    async def aclose(self) -> None:
        """Close all clients, each when its request has ended."""
        self.is_closed = True
        await self._close_unused(-1.0)

    async def _close_unused(self, longest_idle: float) -> None:
        while self._unused and self._unused[0][1].seconds() > longest_idle:
            client, _ = self._unused.popleft()
            await client.aclose()
