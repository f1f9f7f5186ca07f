"""Redirects, followed only within one host: the key must not go to another."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .request import Request

_MOST = 5
_STATUSES = (301, 302, 307, 308)
_PORTS = {"http": 80, "https": 443}


class Redirects:
    """The redirects of one request; `url` is the next to request."""

    def __init__(self, base_url: str, request: Request):
        self.url = base_url + request.target
        self._request = request
        self._followed = 0

    def follow(self, status: int, target: str | None) -> bool:
        """Follow a response if it is a redirect to `target`; return whether it is."""
        if status not in _STATUSES or not target:
            return False
        if not _same_host(self.url, target):
            raise self._request.error(
                ConfigError,
                f" was redirected to {target[:200]!r}, which is "
                "another host, to which the key must not be sent; check the base URL",
            )
        if self._followed == _MOST:
            raise self._request.error(ConfigError, f" was redirected more than {_MOST} times")
        self._followed += 1
        self.url = urljoin(self.url, target)
        return True


def _same_host(url: str, target: str) -> bool:
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, target))
        port = there.port or _PORTS.get(there.scheme)
    except ValueError:
        return False
    if here.hostname != there.hostname or there.scheme not in _PORTS:
        return False
    if here.scheme == there.scheme:
        return port == (here.port or _PORTS[here.scheme])
    return there.scheme == "https" and port == 443
