"""The one function that sends a request; the only file that knows requests."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from urllib.parse import urlencode, urljoin, urlsplit

from .. import __version__, _errors
from . import bodies
from . import retries as retry_rules
from .clock import Clock, pause
from .rate_limit import CHANGE, POLL, READ
from .shared_rate_limit import shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import requests

    from .._config import Settings
    from .clock import Deadline
    from .sessions import Sessions

logger = logging.getLogger("duvo")

_MOST_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}


class Answer:
    """A successful answer.

    Attributes:
        status: HTTP status.
        headers: its headers; names in any case.
        content: the body's bytes.
        data: the body as JSON, or None when it is empty.
        request_id: the server's id of the request, or None.
    """

    __slots__ = ("content", "data", "headers", "request_id", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes, data: Any):
        self.status = status
        self.headers = headers
        self.content = content
        self.data = data
        self.request_id = headers.get("x-request-id")

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.content)} bytes>"


class Transport:
    """Sends requests with the client's settings.

    Args:
        settings: key and base URL.
        timeout: seconds for each socket operation of a request.
        max_retries: how often a single call is sent again at most.
        session: the caller's own `requests.Session`, used as it is, one
            request at a time; None for one session a thread.
        user_agent: put before ours in `User-Agent`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout: float,
        max_retries: int,
        session: requests.Session | None,
        user_agent: str | None,
        clock: Clock,
    ):
        self.settings = settings
        self.timeout = timeout
        self.max_retries = max_retries
        self.clock = clock
        self.honours_idempotency = False
        self.long_poll = 0.0
        """Seconds for which this server holds a request; 0 where it does not offer to."""
        self.lists_by_time = True
        """Whether the list of runs keeps to the time that it is asked from, as far as is known."""
        self.list_tells_all = True
        """Whether a run's `updated_at` in the list moves with all that happens, likewise."""
        self.budget = shared(settings.base_url, settings.api_key)
        self._callers = session
        self._turn = threading.Lock()
        self._opening = threading.Lock()
        self._sessions: Sessions | None = None
        self._process = os.getpid()
        ours = f"duvo-python/{__version__}"
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"{user_agent} {ours}" if user_agent else ours,
        }

    def close(self) -> None:
        """Close the connections of every thread; a caller's own session stays open."""
        with self._opening:
            sessions, self._sessions = self._sessions, None
        if sessions is not None:
            sessions.close()

    def send(
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
        closed: threading.Event | None = None,
        polling: bool = False,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Send one request, and send it again where that is safe.

        Args:
            method: HTTP method.
            path: from `/v2/` on, quoted.
            params: query, as pairs.
            body: anything JSON, or None for no body.
            repeatable: sending it twice is harmless; None: when it is a GET or HEAD.
            find_out: how to find out whether a change happened.
            retries: in place of the client's `max_retries`.
            deadline: no socket operation and no pause goes beyond it.
            closed: when set, nothing more is sent, and a body that is being
                read is given up; that of a change is read to its end.
            polling: it is one of many that may wait where the rate limit is near.
            idempotency_key: of a change; None makes a new one.

        Raises:
            DuvoError: as `_errors` draws them; OutcomeUnknown for a change
                that may or may not have happened.
        """
        reading = method in ("GET", "HEAD")
        if repeatable is None:
            repeatable = reading
        kind = CHANGE if not reading else POLL if polling else READ
        call = self._call(method, path, params, body, deadline, closed, kind)
        if not reading:
            call.headers["Idempotency-Key"] = idempotency_key or new_idempotency_key()
        most = self.max_retries if retries is None else retries
        unknown = False

        def once() -> Answer:
            nonlocal unknown
            try:
                return self._exchange(call)
            except _errors.DuvoError as error:
                unknown = unknown or retry_rules.leaves_outcome_unknown(error)
                raise

        def may(error: BaseException) -> bool:
            # Read anew each time: the failed answer itself may show that the key is honoured.
            return (
                isinstance(error, _errors.DuvoError)
                and retry_rules.may_send_again(
                    error, repeatable=repeatable or self.honours_idempotency
                )
                and not (deadline is not None and deadline.passed)
            )

        def sleep(seconds: float) -> None:
            pause(self.clock, seconds, "before sending the request again", closed)

        try:
            try:
                return once()
            except _errors.DuvoError as error:
                if most <= 0 or not may(error):
                    raise
                from .resending import resend

                return resend(once, error, may, most, sleep, deadline)
        except (_errors.DuvoError, bodies.Closed) as error:
            if repeatable or not unknown or retry_rules.is_verdict(error):
                raise
            raise _errors.OutcomeUnknown(
                f"whether {method} {path} happened is not known: {error}; it was not sent again, "
                f"since that could do it twice{'; ' + find_out if find_out else ''}",
                method=method,
                path=path,
            ) from error

    def _call(
        self,
        method: str,
        path: str,
        params: Sequence[tuple[str, str]],
        body: Any,
        deadline: Deadline | None,
        closed: threading.Event | None,
        kind: int,
    ) -> _Call:
        url = self.settings.base_url + path
        if params:
            query = urlencode(params, errors="surrogatepass")
            url += f"{'&' if '?' in path else '?'}{query}"
        headers = dict(self._headers)
        content = None
        if body is not None:
            content = bodies.encode(body)
            headers["Content-Type"] = "application/json"
        return _Call(method, path, url, headers, content, deadline, closed, kind)

    def _exchange(self, call: _Call) -> Answer:
        import requests

        if call.closed is not None and call.closed.is_set():
            raise bodies.Closed
        number = self.budget.enter(call.kind, self.clock, call.deadline, call.closed)
        if number is None:
            if call.closed is not None and call.closed.is_set():
                raise bodies.Closed
            raise self._no_time_left(call)
        began = self.clock.now()
        try:
            with self._session(call) as session:
                response = self._follow_redirects(session, call)
                try:
                    closed = None if call.kind == CHANGE else call.closed
                    payload = bodies.read(response, call.deadline, closed, self.timeout)
                finally:
                    response.close()
        except (requests.RequestException, UnicodeError, ValueError) as error:
            # What is chained may be printed, and the request has the key in its headers.
            if isinstance(error, requests.RequestException):
                error.request = None
            failure = self._failure(error, call)
            logger.debug("%s %s failed: %s", call.method, call.path, failure)
            raise failure from error
        self.budget.learn(response.headers, number, self.clock)
        return self._answer(response, payload, call, self.clock.now() - began)

    def _follow_redirects(self, session: requests.Session, call: _Call) -> requests.Response:
        url = call.url
        for _ in range(_MOST_REDIRECTS + 1):
            response = session.request(
                call.method,
                url,
                data=call.content,
                headers=call.headers,
                auth=_auth(self.settings.api_key),
                timeout=self._seconds(call),
                allow_redirects=False,
                stream=True,
            )
            target = response.headers.get("location")
            if response.status_code not in (301, 302, 307, 308) or not target:
                return response
            response.close()
            if not _same_host(url, target):
                raise _errors.ConfigError(
                    f"{call.method} {call.path} was redirected to {target[:200]!r}, which is "
                    "another host, where the key must not go; check the base URL",
                    method=call.method,
                    path=call.path,
                )
            url = urljoin(url, target)
        raise _errors.ConfigError(
            f"{call.method} {call.path} was redirected more than {_MOST_REDIRECTS} times",
            method=call.method,
            path=call.path,
        )

    def _seconds(self, call: _Call) -> float:
        if call.deadline is None:
            return self.timeout
        seconds = call.deadline.left(self.timeout)
        if seconds <= 0:
            raise self._no_time_left(call)
        return seconds

    def _no_time_left(self, call: _Call) -> _errors.TimeoutError:
        return _errors.TimeoutError(
            f"{call.method} {call.path}: no time was left to send it",
            method=call.method,
            path=call.path,
            arrived=False,
        )

    def _answer(
        self,
        response: requests.Response,
        payload: bytes,
        call: _Call,
        seconds: float,
    ) -> Answer:
        method, path = call.method, call.path
        headers = response.headers
        status = response.status_code
        request_id = (headers.get("x-request-id") or "").replace(self.settings.api_key, "[key]")
        logger.debug(
            "%s %s -> %d in %.0f ms (request id %s)",
            method,
            path,
            status,
            seconds * 1000,
            request_id or "none",
        )
        self._learn(headers)
        data, readable = bodies.decode(payload)
        if status >= 400:
            retry_after = retry_rules.retry_after(headers, self.clock.unix())
            if status == 429:
                self.budget.refuse(retry_after, self.clock)
            raise _errors.from_status(
                status,
                method=method,
                path=path,
                body=data,
                request_id=request_id,
                retry_after=retry_after,
                secret=self.settings.api_key,
            )
        # A head that was cut in the middle reads as one of an answer without a body.
        cut = not payload and status == 200 and method == "GET"
        if cut or not readable or status >= 300:
            kind = headers.get("content-type", "no content type").split(";")[0]
            raise _errors.UnexpectedAnswer(
                f"{method} {path} was answered {status} with {kind} that is no JSON "
                f"({len(payload)} bytes); a proxy or a login page may stand between, "
                "or the answer was cut",
                method=method,
                path=path,
                may_pass=True,
            )
        return Answer(status, headers, payload, data)

    def _learn(self, headers: Mapping[str, str]) -> None:
        if "duvo-idempotency" in headers:
            self.honours_idempotency = True
        # A held request would keep the caller's one session from everybody else.
        if "duvo-long-poll" in headers and self._callers is None:
            with contextlib.suppress(ValueError):
                seconds = float(headers["duvo-long-poll"])
                self.long_poll = min(60.0, seconds) if seconds >= 1 else 0.0

    @contextlib.contextmanager
    def _session(self, call: _Call) -> Iterator[requests.Session]:
        if self._callers is not None:
            if not self._turn.acquire(timeout=self._seconds(call)):
                raise _errors.TimeoutError(
                    f"{call.method} {call.path}: your session was in use all the time",
                    method=call.method,
                    path=call.path,
                    arrived=False,
                )
            try:
                yield self._callers
            finally:
                self._turn.release()
            return
        with self._opening:
            if self._process != os.getpid():
                # A forked process must not speak over its parent's connections.
                self._process = os.getpid()
                self._sessions = None
            if self._sessions is None:
                from .sessions import Sessions

                self._sessions = Sessions(self.settings.base_url)
            sessions = self._sessions
        yield sessions.of_this_thread()

    def _failure(self, error: Exception, call: _Call) -> _errors.DuvoError:
        from .failures import explain

        trust = self._sessions.trust if self._sessions is not None else "the caller's session"
        seconds = self.timeout
        if call.deadline is not None and call.deadline.timeout is not None:
            seconds = min(seconds, call.deadline.timeout)
        return explain(error, call.method, call.path, self.settings, seconds, trust)


class _Call:
    """One request, the same at each attempt."""

    __slots__ = ("closed", "content", "deadline", "headers", "kind", "method", "path", "url")

    def __init__(
        self,
        method: str,
        path: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        deadline: Deadline | None,
        closed: threading.Event | None,
        kind: int,
    ):
        self.method = method
        self.path = path
        self.url = url
        self.headers = headers
        self.content = content
        self.deadline = deadline
        self.closed = closed
        self.kind = kind


def new_idempotency_key() -> str:
    """A key by which a server can tell that a change has come twice."""
    import uuid

    return str(uuid.uuid4())


def _auth(api_key: str) -> Any:
    # A callable beats both ~/.netrc and whatever the session carries.
    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {api_key}"
        return request

    return bearer


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
