"""Sessions of requests: one per thread, with one SSL context per client."""

from __future__ import annotations

import threading
import weakref

import requests
from requests.adapters import HTTPAdapter

from .._time import connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from .environment import Environment


class Sessions:
    """The sessions of one client, which share its proxies and its SSL context."""

    def __init__(self, environment: Environment):
        self._environment = environment
        self._of_thread = threading.local()
        # A session ends with its thread.
        self._all: weakref.WeakSet[requests.Session] = weakref.WeakSet()

    def of_this_thread(self) -> requests.Session:
        """Return the session of the calling thread, created on first use."""
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = self._new()
            self._all.add(session)
        return session

    def _new(self) -> requests.Session:
        session = requests.Session()
        # Reading the environment and ~/.netrc for each call would take longer
        # than the rest of our work, and ~/.netrc would override the key.
        session.trust_env = False
        session.proxies = dict(self._environment.proxies)
        session.mount("http://", _TimedAdapter())
        if self._environment.context is not None:
            session.mount("https://", _Adapter(self._environment.context))
        return session

    def close(self) -> None:
        """Close all of them."""
        for session in list(self._all):
            session.close()
        self._all.clear()


class _TimedAdapter(HTTPAdapter):
    """Uses connections that are made in time."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        connection.use_in(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        manager = super().proxy_manager_for(proxy, **kwargs)
        connection.use_in(manager)
        return manager


class _Adapter(_TimedAdapter):
    """Uses one SSL context for all connections instead of loading the CA file for each."""

    def __init__(self, context: ssl.SSLContext):
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the SSL context has the certificates that this would load."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        pool.pop("ca_certs", None)
        pool.pop("ca_cert_dir", None)
        pool["ssl_context"] = self._context
        return host, pool
