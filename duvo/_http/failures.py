"""Errors for failures below HTTP: timeouts, TLS, proxies, refused and broken connections."""

from __future__ import annotations

import os
import re
import ssl
from urllib.parse import urlsplit

from .. import _errors
from .._advice import words
from .._connections.environment import is_loopback
from .._settings.credentials import without_key
from .retries import TRANSIENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .request import Request


_SOCKS_REFUSAL = re.compile("authentication|username/password|not allowed by ruleset", re.I)
"""Why a SOCKS proxy refuses, in the words of PySocks and httpx2; it would refuse again."""


class Destination:
    """The server that requests go to, for the texts of errors. They never contain the key.

    `engine` is the profile if it is that of a local engine.
    """

    def __init__(self, base_url: str, api_key: str, engine: str | None = None):
        parts = urlsplit(base_url)
        self.host = parts.netloc
        self.is_local = is_loopback(parts.hostname or "")
        self.api_key = api_key
        self.engine = engine

    def timed_out(self, request: Request, timeout: float, *, arrived: bool) -> _errors.TimeoutError:
        """Return the error for a response, or a connection, that did not come in time."""
        if request.deadline is not None and request.deadline.timeout is not None:
            timeout = min(timeout, request.deadline.timeout)
        what = "no response from" if arrived else "cannot connect to"
        text = f": {what} {self.host} within {round(timeout, 2):g} s"
        return request.error(_errors.TimeoutError, text, arrived=arrived)

    def untrusted(self, request: Request, reason: str, trust: str) -> _errors.TLSError:
        """Return the error for a certificate, or TLS, that was not accepted."""
        # Of the variables that name a CA file, REQUESTS_CA_BUNDLE takes precedence.
        return request.error(
            _errors.TLSError,
            f": no trusted connection to {self.host}: {reason}; "
            f"the CA file used is {trust}; set REQUESTS_CA_BUNDLE to the file with your CA",
            arrived=False,
            may_pass=False,
        )

    def not_through_proxy(self, request: Request, reason: str) -> _errors.ConnectionError:
        """Return the error for a proxy that did not connect to the server."""
        status = re.search(r"(?:^|failed: )([1-5]\d\d)\b", reason)
        is_refusal = int(status[1]) not in TRANSIENT if status else _SOCKS_REFUSAL.search(reason)
        return request.error(
            _errors.ConnectionError,
            f": the proxy did not connect to {self.host} ({reason}); see HTTPS_PROXY and NO_PROXY",
            arrived=False,
            may_pass=not is_refusal,
        )

    def unreachable(self, request: Request, reason: str) -> _errors.ConnectionError:
        """Return the error for a connection that could not be made."""
        if self.engine:
            text = f"the engine of profile {self.engine!r} is not running: {words().start_engine()}"
        elif self.is_local:
            text = f"nothing listens at {self.host} ({reason}); {words().serve()}"
        else:
            text = f"cannot connect to {self.host} ({reason}); check the base URL"
        return request.error(_errors.ConnectionError, f": {text}", arrived=False)

    def broken(
        self, request: Request, reason: str, *, arrived: bool = True
    ) -> _errors.ConnectionError:
        """Return the error for a connection that broke; False for `arrived` if before sending."""
        text = f": the connection to {self.host} broke ({reason})"
        return request.error(_errors.ConnectionError, text, arrived=arrived)

    def interim(self, request: Request, status: int) -> _errors.ConnectionError:
        """Return the error for an interim response that a caller's session did not skip."""
        reason = f"your `session` returned the interim response {status}"
        return self.broken(request, reason)

    def unasked(self, request: Request) -> _errors.ConnectionError:
        """Return the error for a response that came although the request could not be sent."""
        return self.broken(request, "closed before the request was sent", arrived=False)

    def reason(self, causes: list[BaseException]) -> str:
        """Return the innermost cause in a few words, without the key."""
        for cause in reversed(causes):
            if isinstance(cause, OSError) and cause.strerror:
                text = cause.strerror
                if (cause.errno or 0) > 0 and not isinstance(cause, ssl.SSLError):
                    text = os.strerror(cause.errno or 0)  # asyncio has a text of its own
                return without_key(text, self.api_key)
        text = str(causes[-1]) or type(causes[-1]).__name__
        text = re.sub(r"//\S+@", "//…@", text)  # of a proxy
        # Before the text is cut, which may leave a part of the key.
        return " ".join(without_key(text, self.api_key).split())[:300]


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the error and everything that it wraps: arguments, a group, `reason`, causes.

    Without its context, which may be an earlier attempt.
    """
    causes: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if isinstance(cause, BaseException) and not any(cause is known for known in causes):
            causes.append(cause)
            todo += [*cause.args, *getattr(cause, "exceptions", ())]
            todo += [getattr(cause, "reason", None), cause.__cause__]
    return causes


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
