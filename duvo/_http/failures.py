"""What went wrong below HTTP, said as one of our errors."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import requests
import urllib3

from .. import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._config import Settings

_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)


def explain(
    error: Exception,
    method: str,
    path: str,
    settings: Settings,
    timeout: float,
    trust: str,
) -> _errors.DuvoError:
    """Our error for one of requests.

    Args:
        error: what requests raised.
        method: of the request.
        path: of the request.
        settings: where it went.
        timeout: seconds that it had.
        trust: which CA file was in force, and where that came from.
    """
    host = urlsplit(settings.base_url).netloc
    causes = list(_chain(error))
    arrived = not any(isinstance(cause, _NEVER_SENT) for cause in causes)
    if _is_timeout(error, causes):
        what = "answered nothing" if arrived else "could not be connected to"
        return _errors.TimeoutError(
            f"{method} {path}: {host} {what} within {timeout:g} s",
            method=method,
            path=path,
            arrived=arrived,
        )
    untrusted = _tls_reason(causes)
    if untrusted:
        # Of the variables that name a CA file it beats the others.
        return _errors.TLSError(
            f"{method} {path}: no trusted connection to {host}: {untrusted}; the CA file in "
            f"force is {trust}; set REQUESTS_CA_BUNDLE to the file that has your CA",
            method=method,
            path=path,
            arrived=False,
        )
    reason = _innermost(causes).replace(settings.api_key, "[key]")
    if isinstance(error, requests.exceptions.ProxyError):
        return _errors.ConnectionError(
            f"{method} {path}: the proxy did not connect to {host} ({reason}); "
            "see HTTPS_PROXY and NO_PROXY",
            method=method,
            path=path,
            arrived=arrived,
        )
    if not arrived:
        text = f"{method} {path}: cannot connect to {host} ({reason}); is it the right base URL?"
        if urlsplit(settings.base_url).hostname in ("127.0.0.1", "localhost"):
            text = (
                f"{method} {path}: nothing listens at {host} ({reason}); "
                "`duvo dev` starts a local engine"
            )
        return _errors.ConnectionError(text, method=method, path=path, arrived=False)
    if isinstance(error, (requests.exceptions.InvalidURL, ValueError)):
        return _errors.ConfigError(f"{method} {path}: {reason}", method=method, path=path)
    return _errors.ConnectionError(
        f"{method} {path}: the connection to {host} broke ({reason})",
        method=method,
        path=path,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps: arguments, `reason`, causes.

    Not what was being handled as it was raised: that may be an attempt before this one.
    """
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        todo += [*cause.args, getattr(cause, "reason", None), cause.__cause__]


def _is_timeout(error: Exception, causes: list[BaseException]) -> bool:
    if isinstance(error, requests.Timeout):
        return True
    # urllib3 counts a refused connection among the timeouts; it is none.
    return any(
        isinstance(cause, urllib3.exceptions.TimeoutError)
        and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes
    )


def _tls_reason(causes: list[BaseException]) -> str | None:
    for cause in causes:
        # A connection that ends in the middle of TLS broke; it was not refused.
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return cause.reason or str(cause)
    return None


def _innermost(causes: list[BaseException]) -> str:
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    said = str(causes[-1]) or type(causes[-1]).__name__
    return " ".join(said.split())[:300]
