"""A request, the same for each attempt, and where it may be redirected to."""

from __future__ import annotations

import json
from urllib.parse import urlencode, urljoin, urlsplit

from .. import _errors
from .._version import __version__
from .rate_limit import CHANGE, POLL, READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from .._time.clock import Deadline

    E = TypeVar("E", bound=_errors.DuvoError)

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 307, 308)
_PORTS = {"http": 80, "https": 443}


class Request:
    """One request of the API.

    Args:
        path: the path, escaped.
        repeatable: whether sending it twice does no harm; None: if it is a GET
            or HEAD.
        find_out: how to find out whether a change happened, for `OutcomeUnknown`.
        retries: maximum number of retries, in place of the client's `max_retries`.
        deadline: when socket operations and pauses end, or None.
        polling: whether it is a poll, which waits while the rate limit is low.
        read_at_once: whether to read the body in one go, which is faster but
            cannot be ended early.
        idempotency_key: the key of a change; None creates one.

    Attributes:
        may_be_sent: whether the last attempt may have sent anything.
    """

    def __init__(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Any = None,
        repeatable: bool | None = None,
        find_out: str = "",
        retries: int | None = None,
        deadline: Deadline | None = None,
        polling: bool = False,
        read_at_once: bool = False,
        idempotency_key: str | None = None,
    ):
        is_read = method in ("GET", "HEAD")
        self.method = method
        self.path = path
        self.target = path
        if params:
            query = urlencode(params, errors="surrogatepass")
            self.target += f"{'&' if '?' in path else '?'}{query}"
        self.content = None if body is None else _encode(body)
        self.repeatable = is_read if repeatable is None else repeatable
        self.find_out = find_out
        self.retries = retries
        self.deadline = deadline
        self.may_be_sent = True
        self.kind = CHANGE if not is_read else POLL if polling else READ
        self.read_at_once = read_at_once
        self.idempotency_key = None if is_read else idempotency_key or new_idempotency_key()

    @property
    def is_change(self) -> bool:
        """Whether it may change something on the server."""
        return self.kind == CHANGE

    @property
    def is_poll(self) -> bool:
        """Whether it is a poll."""
        return self.kind == POLL

    @property
    def headers(self) -> dict[str, str]:
        """The headers of this request, beside those of every request."""
        headers = {}
        if self.content is not None:
            headers["Content-Type"] = "application/json"
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        return headers

    @property
    def seconds_in_all(self) -> float:
        """The seconds left until its deadline; infinity without one."""
        forever = float("inf")
        return forever if self.deadline is None else self.deadline.left(forever)

    def seconds(self, timeout: float) -> float:
        """Return the seconds that a socket operation may take; `TimeoutError` if none are left."""
        if self.deadline is None:
            return timeout
        seconds = self.deadline.left(timeout)
        if seconds <= 0:
            raise self.out_of_time("no time was left to send it")
        return seconds

    def error(self, kind: type[E], text: str, **fields: Any) -> E:
        """Return an error about this request; `fields` are the kind's own."""
        text = f"{self.method} {self.path}{text}"
        return kind(text, method=self.method, path=self.path, **fields)

    def out_of_time(self, reason: str) -> _errors.TimeoutError:
        """Return the error for a request that ran out of time before it was sent."""
        return self.error(_errors.TimeoutError, f": {reason}", arrived=False)

    def outcome_unknown(self, error: object) -> _errors.OutcomeUnknown:
        """Return the error for a change that may or may not have happened."""
        return self.error(
            _errors.OutcomeUnknown,
            f" may or may not have happened: {error}; it was not retried, "
            f"since that could do it twice{'; ' + self.find_out if self.find_out else ''}",
        )


def default_headers(user_agent: str | None) -> dict[str, str]:
    """Return the headers of every request; `user_agent` is a prefix for `User-Agent`."""
    ours = f"duvo-python/{__version__}"
    return {
        "Accept": "application/json",
        "User-Agent": f"{user_agent.strip()} {ours}" if user_agent else ours,
    }


def new_idempotency_key() -> str:
    """Return a new key by which a server recognizes a change that is sent twice."""
    import uuid

    return str(uuid.uuid4())


def _encode(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise _errors.DuvoError(f"the request's body cannot be sent as JSON: {error}") from None


class Redirects:
    """The redirects of one request; `url` is the next to request, `followed` their number."""

    def __init__(self, base_url: str, request: Request):
        self.url = base_url + request.target
        self._request = request
        self.followed = 0

    def follow(self, status: int, target: str | None) -> bool:
        """Follow a response if it is a redirect to `target`; return whether it is."""
        if status not in _REDIRECTS or not target:
            return False
        if not _same_host(self.url, target):
            raise self._request.error(
                _errors.ConfigError,
                f" was redirected to {target[:200]!r}, which is "
                "another host, to which the key must not be sent; check the base URL",
            )
        if self.followed == _MOST_REDIRECTS:
            raise self._request.error(
                _errors.ConfigError, f" was redirected more than {_MOST_REDIRECTS} times"
            )
        self.followed += 1
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
