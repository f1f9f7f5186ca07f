"""Proxies and CA files from the environment, read once for each client."""

from __future__ import annotations

import os
import ssl
from urllib.parse import urlsplit

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Environment:
    """The proxies by URL scheme, and the SSL context, for one server; None without TLS.

    `trust` names the CA file that is used, and the variable it comes from.
    """

    def __init__(self, base_url: str, environ: Mapping[str, str] = os.environ):
        self.proxies: dict[str, str] = {}
        if any(name in environ or name.lower() in environ for name in _PROXY_VARIABLES):
            import requests

            self.proxies = requests.utils.get_environ_proxies(base_url)
        self._base_url = base_url
        self.context: ssl.SSLContext | None = None
        self.trust = "no TLS"
        if urlsplit(base_url).scheme == "https":
            self.context, self.trust = _trusted(environ)

    @property
    def proxy(self) -> str | None:
        """The proxy of the API's origin, or None."""
        if not self.proxies:
            return None
        import requests

        proxy: str | None = requests.utils.select_proxy(self._base_url, self.proxies)
        return requests.utils.prepend_scheme_if_needed(proxy, "http") if proxy else None


def _trusted(environ: Mapping[str, str]) -> tuple[ssl.SSLContext, str]:
    for name in _CA_VARIABLES:
        file = environ.get(name)
        if not file:
            continue
        try:
            if os.path.isdir(file):  # noqa: PTH112  a CA may be a file or a directory of hashes
                return ssl.create_default_context(capath=file), f"{file} (from {name})"
            return ssl.create_default_context(cafile=file), f"{file} (from {name})"
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{name} names {file}, which is not a usable CA file: {error}"
            ) from None
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    return context, f"{DEFAULT_CA_BUNDLE_PATH} (the default)"
