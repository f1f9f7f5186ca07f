"""One session a thread, one SSL context a client, the environment read once."""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Sessions:
    """The sessions of one client.

    Args:
        base_url: where they go; decides the proxy, and whether TLS is needed.
        environ: where proxies and the CA file are read from, once.

    Attributes:
        trust: which CA file is in force, and where that came from.
    """

    def __init__(self, base_url: str, environ: Mapping[str, str] = os.environ):
        self.trust = "no TLS"
        self._proxies: dict[str, str] = {}
        if any(name in environ or name.lower() in environ for name in _PROXY_VARIABLES):
            self._proxies = requests.utils.get_environ_proxies(base_url)
        self._context: ssl.SSLContext | None = None
        if urlsplit(base_url).scheme == "https":
            self._context, self.trust = _trusting(environ)
        self._of_thread = threading.local()
        # A thread that ends takes its session along.
        self._all: weakref.WeakSet[requests.Session] = weakref.WeakSet()

    def of_this_thread(self) -> requests.Session:
        """The session of the thread that asks, made when it first asks."""
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = requests.Session()
            # Looking through the environment and ~/.netrc at each call costs
            # more than our part of a request, and ~/.netrc would win over the key.
            session.trust_env = False
            session.proxies = dict(self._proxies)
            if self._context is not None:
                session.mount("https://", _Adapter(self._context))
            self._of_thread.session = session
            self._all.add(session)
        return session

    def close(self) -> None:
        """Close all of them."""
        for session in list(self._all):
            session.close()
        self._all.clear()


_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _Adapter(HTTPAdapter):
    """Uses one SSL context for all connections instead of loading the CA file for each."""

    def __init__(self, context: ssl.SSLContext):
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context has what this would load."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        pool.pop("ca_certs", None)
        pool.pop("ca_cert_dir", None)
        pool["ssl_context"] = self._context
        return host, pool


def _trusting(environ: Mapping[str, str]) -> tuple[ssl.SSLContext, str]:
    for name in _CA_VARIABLES:
        file = environ.get(name)
        if not file:
            continue
        try:
            if os.path.isdir(file):  # noqa: PTH112  a CA may be a file or a folder of hashes
                return ssl.create_default_context(capath=file), f"{file} (from {name})"
            return ssl.create_default_context(cafile=file), f"{file} (from {name})"
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{name} names {file}, which is no usable CA file: {error}") from None
    file = DEFAULT_CA_BUNDLE_PATH
    return ssl.create_default_context(cafile=file), f"{file} (the default)"
