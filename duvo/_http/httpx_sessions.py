"""Clients of httpx2: one for each request at a time, with one SSL context for all of them."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections import deque

from .._errors import ConfigError
from .environment import Environment

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
        self._context = self.environment.context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._timeout = timeout
        # The longest unused first, each with the time of its last use.
        self._unused: deque[tuple[httpx2.AsyncClient, float]] = deque()
        try:
            self._unused.append((self._new(), time.monotonic()))
        except ModuleNotFoundError:
            raise ConfigError(
                "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`"
            ) from None
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"the proxy cannot be used: {error}; see HTTPS_PROXY and NO_PROXY"
            ) from None

    def _new(self) -> httpx2.AsyncClient:
        import httpx2

        proxy = self.environment.proxy
        return httpx2.AsyncClient(
            # Neither the environment nor ~/.netrc: they are read once, by the same rules
            # as those of the blocking client.
            trust_env=False,
            timeout=self._timeout,
            verify=self._context,
            proxy=None if proxy is None else httpx2.Proxy(proxy),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT
            ),
        )

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Lend a client for one request."""
        client = self._unused.pop()[0] if self._unused else self._new()
        try:
            yield client
        finally:
            now = time.monotonic()
            self._unused.append((client, now))
            await self._close_unused(float("inf") if self.is_closed else now - _KEPT)

    async def aclose(self) -> None:
        """Close all clients, each when its request has ended."""
        self.is_closed = True
        await self._close_unused(float("inf"))

    async def _close_unused(self, since: float) -> None:
        while self._unused and self._unused[0][1] < since:
            client, _ = self._unused.popleft()
            await client.aclose()
