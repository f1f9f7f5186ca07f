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
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Environment:
    """The proxies by URL scheme, and the SSL context, for one server.

    A server on loopback is never reached through a proxy.

    Raises:
        ConfigError: a proxy's URL or a CA file cannot be used.
    """

    def __init__(self, base_url: str, environ: Mapping[str, str] = os.environ):
        self._base_url = base_url
        named = [(name, environ.get(name, "").strip()) for name in _CA_VARIABLES]
        # Without a home directory, `~` stays as it is, and reading the file fails.
        self._ca = [(name, os.path.expanduser(file)) for name, file in named if file]  # noqa: PTH111
        self._context: ssl.SSLContext | None = None
        self.proxies: dict[str, str] = {}
        parts = urlsplit(base_url)
        if any(name in environ or name.lower() in environ for name in _PROXY_VARIABLES):
            import requests

            # White space around hosts is ignored by requests, but not around an asterisk.
            no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
            if no_proxy.strip() != "*" and not is_loopback(parts.hostname or ""):
                found = requests.utils.get_environ_proxies(base_url)
                cut = {scheme: proxy.strip() for scheme, proxy in found.items()}
                self.proxies = {scheme: proxy for scheme, proxy in cut.items() if proxy}
                _check(self)
        if parts.scheme == "https":
            _ = self.context  # an unusable CA file is an error at once

    @property
    def proxy(self) -> str | None:
        """The proxy of the API's origin, or None."""
        if not self.proxies:
            return None
        import requests

        proxy: str | None = requests.utils.select_proxy(self._base_url, self.proxies)
        return requests.utils.prepend_scheme_if_needed(proxy, "http") if proxy else None

    @property
    def context(self) -> ssl.SSLContext:
        """The SSL context of all TLS connections, created on first use."""
        if self._context is None:
            self._context = self._load()
        return self._context

    @property
    def trust(self) -> str:
        """The CA file that is used, and the variable it comes from."""
        name, file = self._ca_file()
        return f"{file} (from {name})" if name else f"{file} (the default)"

    def _ca_file(self) -> tuple[str, str]:
        if self._ca:
            return self._ca[0]
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        return "", DEFAULT_CA_BUNDLE_PATH

    def _load(self) -> ssl.SSLContext:
        name, file = self._ca_file()
        try:
            if os.path.isdir(file):  # noqa: PTH112  a CA may be a file or a directory of hashes
                return ssl.create_default_context(capath=file)
            return ssl.create_default_context(cafile=file)
        except (OSError, ssl.SSLError) as error:
            subject = f"{name} names {file}, which" if name else f"{file}, the default CA file,"
            raise ConfigError(f"{subject} is not a usable CA file: {error}") from None


def needs(package: str) -> ConfigError:
    """Return the error for a SOCKS proxy without the package that connects through it."""
    return ConfigError(
        f"a SOCKS proxy needs the package {package}: install it with `pip install 'duvo[socks]'`"
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    import ipaddress

    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check(environment: Environment) -> None:
    # The libraries' errors would show the URL, which may have a password in it.
    try:
        parts = urlsplit(environment.proxy or "http://none")
        is_usable = parts.scheme in _PROXY_SCHEMES and parts.hostname and parts.port != 0
    except (TypeError, ValueError):  # requests raises both
        is_usable = False
    if not is_usable:
        raise ConfigError(
            "the proxy's URL cannot be used; it looks like http://USER:PASSWORD@HOST:PORT, with "
            "special characters escaped (%40 for @); see HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
        )
