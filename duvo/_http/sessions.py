"""Sessions of requests: one per thread, with one SSL context per client."""

from __future__ import annotations

import threading
import weakref

import requests
from requests.adapters import HTTPAdapter

from .._connections import blocking
from .._connections.idle import LONGEST_IDLE, IdleTime
from .._time.connection import TimedConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connections.environment import Environment


class Sessions:
    """The sessions of one client, which share its proxies and its SSL context."""

    def __init__(self, environment: Environment):
        self._environment = environment
        self._of_thread = threading.local()
        # A session ends with its thread.
        self._all: weakref.WeakSet[Session] = weakref.WeakSet()

    def of_this_thread(self) -> Session:
        """Return the session of the calling thread, created on first use."""
        session: Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = self._new()
            self._all.add(session)
        return session

    def _new(self) -> Session:
        session = Session()
        # Reading the environment and ~/.netrc for each call would take longer
        # than the rest of our work, and ~/.netrc would override the key.
        session.trust_env = False
        session.proxies = dict(self._environment.proxies)
        # An https:// proxy, and a redirect to https://, need the context for http:// too.
        session.mount("https://", _Adapter(self._environment))
        session.mount("http://", _Adapter(self._environment))
        return session

    def close(self) -> None:
        """Close all of them."""
        for session in list(self._all):
            session.close()
        self._all.clear()


class Session(requests.Session):
    """A session that keeps a prepared GET: preparing one takes longer than the rest of our work."""

    def __init__(self) -> None:
        super().__init__()
        self._prepared: requests.PreparedRequest | None = None

    def get_target(
        self, base_url: str, target: str, headers: dict[str, str], auth: Any, timeout: float
    ) -> requests.Response:
        """Send a GET; all arguments but the target and the timeout are the same each time."""
        if self._prepared is None or self.cookies:
            get = requests.Request("GET", base_url, headers=headers, auth=auth)
            self._prepared = self.prepare_request(get)
        # A copy, since a signal handler may send a request in between.
        prepared = self._prepared.copy()
        prepared.url = f"{prepared.url}{target[1:]}"
        return self.send(
            prepared, timeout=timeout, allow_redirects=False, stream=True, proxies=self.proxies
        )

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Any:
        """Resolve none: `Redirects` does, and requests would fail on an address that is none."""
        return iter(())


class _Adapter(HTTPAdapter):
    """Uses one SSL context for all connections instead of loading the CA file for each."""

    def __init__(self, environment: Environment):
        self._environment = environment
        self._idle = IdleTime()
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method not in ("GET", "HEAD") and self._idle.seconds() > LONGEST_IDLE:
            self.close()  # its connections; later requests open new ones
        try:
            return super().send(request, *args, **kwargs)
        finally:
            self._idle.begin()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        blocking.use_in(self.poolmanager, TimedConnection)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        if proxy.lower().startswith("https:"):
            kwargs["ssl_context"] = kwargs["proxy_ssl_context"] = self._environment.context
        manager = super().proxy_manager_for(proxy, **kwargs)
        blocking.use_in(manager, TimedConnection)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the SSL context has the certificates that this would load."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            pool.pop("ca_certs", None)
            pool.pop("ca_cert_dir", None)
            pool["ssl_context"] = self._environment.context
        return host, pool
