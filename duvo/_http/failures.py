"""Errors for failures below HTTP: timeouts, TLS, proxies, refused and broken connections."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from .. import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import Request


class Destination:
    """The server that requests go to, for the texts of errors. They never contain the key."""

    def __init__(self, base_url: str, api_key: str):
        parts = urlsplit(base_url)
        self.host = parts.netloc
        self.is_local = parts.hostname in ("127.0.0.1", "localhost")
        self.api_key = api_key

    def timed_out(self, request: Request, timeout: float, *, arrived: bool) -> _errors.TimeoutError:
        """Return the error for a response, or a connection, that did not come in time."""
        if request.deadline is not None and request.deadline.timeout is not None:
            timeout = min(timeout, request.deadline.timeout)
        what = "no response from" if arrived else "cannot connect to"
        return _errors.TimeoutError(
            f"{request.method} {request.path}: {what} {self.host} within {timeout:g} s",
            method=request.method,
            path=request.path,
            arrived=arrived,
        )

    def untrusted(self, request: Request, reason: str, trust: str) -> _errors.TLSError:
        """Return the error for a certificate, or TLS, that was not accepted."""
        # Of the variables that name a CA file, REQUESTS_CA_BUNDLE takes precedence.
        return _errors.TLSError(
            f"{request.method} {request.path}: no trusted connection to {self.host}: {reason}; "
            f"the CA file used is {trust}; set REQUESTS_CA_BUNDLE to the file with your CA",
            method=request.method,
            path=request.path,
            arrived=False,
        )

    def not_through_proxy(
        self, request: Request, reason: str, *, arrived: bool
    ) -> _errors.ConnectionError:
        """Return the error for a proxy that did not connect to the server."""
        return _errors.ConnectionError(
            f"{request.method} {request.path}: the proxy did not connect to {self.host} "
            f"({reason}); see HTTPS_PROXY and NO_PROXY",
            method=request.method,
            path=request.path,
            arrived=arrived,
        )

    def unreachable(self, request: Request, reason: str) -> _errors.ConnectionError:
        """Return the error for a connection that could not be made."""
        if self.is_local:
            text = f"nothing listens at {self.host} ({reason}); `duvo dev` starts a local engine"
        else:
            text = f"cannot connect to {self.host} ({reason}); check the base URL"
        return _errors.ConnectionError(
            f"{request.method} {request.path}: {text}",
            method=request.method,
            path=request.path,
            arrived=False,
        )

    def broken(self, request: Request, reason: str) -> _errors.ConnectionError:
        """Return the error for a connection that broke during or after sending."""
        return _errors.ConnectionError(
            f"{request.method} {request.path}: the connection to {self.host} broke ({reason})",
            method=request.method,
            path=request.path,
        )

    def reason(self, causes: list[BaseException]) -> str:
        """Return the innermost cause in a few words, without the key."""
        for cause in reversed(causes):
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror.replace(self.api_key, "[key]")
        text = str(causes[-1]) or type(causes[-1]).__name__
        return " ".join(text.split())[:300].replace(self.api_key, "[key]")


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the error and everything that it wraps: arguments, `reason`, causes.

    Without its context, which may be an earlier attempt.
    """
    return list(_chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        todo += [*cause.args, getattr(cause, "reason", None), cause.__cause__]


def tls_reason(causes: list[BaseException]) -> str | None:
    """Return why TLS was refused, or None if it was not."""
    for cause in causes:
        # A connection that ends in the middle of TLS broke; it was not refused.
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return cause.reason or str(cause)
    return None
