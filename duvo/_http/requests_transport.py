"""The blocking transport: sends requests with requests."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from functools import partial

from .. import _errors
from .._flow.steps import Closed
from .._forks import renew_in_child
from .._time.exchange import Exchange
from .failures import Destination, causes_of, tls_reason
from .request import Redirects, default_headers
from .response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any

    import requests

    from .._connections.environment import Environment
    from .._time.clock import Deadline
    from .callers_session import CallersSession
    from .request import Request
    from .sessions import Sessions

_MOST_AT_ONCE = 65536


class RequestsTransport:
    """Sends requests, each once, on one session per thread.

    A caller's own `session` is used unchanged, one request at a time, and never closed.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float,
        session: requests.Session | None,
        user_agent: str | None,
        engine: str | None = None,
    ):
        self._base_url = base_url
        self._destination = Destination(base_url, api_key, engine)
        self._auth = _auth(api_key)
        self._timeout = timeout
        self._callers: CallersSession | None = None
        if session is not None:
            from .callers_session import CallersSession

            self._callers = CallersSession(session)
        self._headers = default_headers(user_agent)
        self._opening = threading.Lock()
        self._sessions: Sessions | None = None
        self._environment: Environment | None = None
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Make a new lock and sessions: connections cannot be shared with the parent process."""
        self._opening = threading.Lock()
        # Not closed: another thread of the parent may have held a lock of theirs.
        self._sessions_of_parent = self._sessions
        self._sessions = None

    def send(self, request: Request, closed: threading.Event | None) -> Response:
        """Send a request, and return the response, unchecked.

        When `closed` is set, it raises `Closed` and reads no further, unless the
        request is a change.
        """
        import requests

        exchange = Exchange(request.seconds_in_all)
        try:
            if self._callers is None or not exchange.is_limited:
                return self._exchange(request, closed, exchange)
            from .callers_session import in_time

            return in_time(partial(self._exchange, request, closed, exchange), exchange.left)
        except TimeoutError:
            raise self._destination.timed_out(request, self._timeout, arrived=True) from None
        except (requests.RequestException, UnicodeError, ValueError) as error:
            # The new error keeps it as its context, and its request has the key in the headers.
            if isinstance(error, requests.RequestException):
                error.request = None
            raise self._explain(error, request, is_over=exchange.is_over) from None
        except BaseException:
            # From outside, such as Ctrl-C. A thread may still send it.
            is_in_thread = self._callers is not None and exchange.is_limited
            request.may_be_sent = is_in_thread or exchange.has_begun_to_send is not False
            raise

    def _exchange(
        self, request: Request, closed: threading.Event | None, exchange: Exchange
    ) -> Response:
        import requests

        with exchange, self._session(request) as session:
            # The connections of a caller's session do not say.
            exchange.has_begun_to_send = None
            response = self._follow_redirects(session, request)
            try:
                if response.status_code < 200:
                    # Its connection is closed, since the response itself follows.
                    raise self._destination.interim(request, response.status_code)
                ends_early = None if request.is_change else closed
                content = _read(response, request, ends_early, self._timeout)
            finally:
                response.close()
            if exchange.is_over:
                # A body without a length seems to end when its connection does.
                raise requests.ReadTimeout("the response was still coming")
            return Response(response.status_code, response.headers, content)

    def close(self) -> None:
        """Close the connections of every thread; a caller's own session stays open."""
        with self._opening:
            sessions, self._sessions = self._sessions, None
        if sessions is not None:
            sessions.close()

    def _follow_redirects(self, session: requests.Session, request: Request) -> requests.Response:
        import requests

        redirects = Redirects(self._base_url, request)
        while True:
            try:
                response = self._send(session, request, redirects)
            except requests.HTTPError as error:
                # A caller's session may raise for the status: the error has the response.
                if error.response is None:
                    raise
                response = error.response
            try:
                if not redirects.follow(response.status_code, response.headers.get("location")):
                    return response
            except _errors.ConfigError:
                response.close()
                raise
            response.close()

    def _send(
        self, session: requests.Session, request: Request, redirects: Redirects
    ) -> requests.Response:
        from .sessions import Session

        timeout = request.seconds(self._timeout)
        if isinstance(session, Session) and request.method == "GET" and not redirects.followed:
            return session.get_target(
                self._base_url, request.target, self._headers, self._auth, timeout
            )
        return session.request(
            request.method,
            redirects.url,
            data=request.content,
            headers={**self._headers, **request.headers},
            auth=self._auth,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )

    def _session(self, request: Request) -> AbstractContextManager[requests.Session]:
        if self._callers is not None:
            return self._callers.use(request, self._timeout)
        return nullcontext(self._own_sessions().of_this_thread())

    def _own_sessions(self) -> Sessions:
        with self._opening:
            if self._sessions is None:
                from .._connections.environment import Environment
                from .sessions import Sessions

                self._environment = Environment(self._base_url)
                self._sessions = Sessions(self._environment)
            return self._sessions

    def _explain(self, error: Exception, request: Request, *, is_over: bool) -> _errors.DuvoError:
        import requests
        import urllib3

        from .._connections.blocking import was_never_sent
        from .._connections.environment import needs

        causes = causes_of(error)
        destination = self._destination
        callers = self._callers
        is_resent = callers is not None and callers.may_resend(request.method)
        arrived = is_resent or not was_never_sent(causes)
        # For urllib3 a refused connection is a timeout too.
        timed_out = (
            is_over
            or isinstance(error, requests.Timeout)
            or any(
                isinstance(cause, urllib3.exceptions.TimeoutError)
                and not isinstance(cause, urllib3.exceptions.NewConnectionError)
                for cause in causes
            )
        )
        if timed_out:
            return destination.timed_out(request, self._timeout, arrived=arrived)
        environment = self._environment
        if (untrusted := tls_reason(causes)) and not arrived:
            trust = "the caller's session" if environment is None else environment.trust
            return destination.untrusted(request, untrusted, trust)
        reason = destination.reason(causes)
        if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in reason:
            return needs("PySocks")
        has_proxy = (
            isinstance(error, requests.exceptions.ProxyError)
            or (environment is not None and environment.proxy is not None)
            or any("SOCKS" in type(getattr(cause, "conn", None)).__name__ for cause in causes)
        )
        # A connection that breaks later is a ProxyError too.
        if has_proxy and not arrived:
            return destination.not_through_proxy(request, reason)
        refused = any(isinstance(one, urllib3.exceptions.NewConnectionError) for one in causes)
        if refused and not arrived:
            return destination.unreachable(request, reason)
        if _is_refused(error) or (isinstance(error, ValueError) and not arrived):
            return request.error(_errors.ConfigError, f": {reason}")
        return destination.broken(request, reason, arrived=arrived)


def _is_refused(error: Exception) -> bool:
    """Whether requests refused to send. Other ValueErrors may be about the response."""
    import requests
    import urllib3

    kinds = requests.exceptions
    if isinstance(error, kinds.InvalidHeader):
        # A header of the response, if urllib3 says so.
        return not any(isinstance(one, urllib3.exceptions.InvalidHeader) for one in error.args)
    invalid = (kinds.InvalidURL, kinds.MissingSchema, kinds.InvalidSchema, UnicodeEncodeError)
    return isinstance(error, invalid)


def _auth(api_key: str) -> Any:
    # A callable takes precedence over ~/.netrc and the auth of the session.
    def bearer(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers["Authorization"] = f"Bearer {api_key}"
        return prepared

    return bearer


def _read(
    response: requests.Response,
    request: Request,
    closed: threading.Event | None,
    timeout: float,
) -> bytes:
    import requests
    import urllib3

    try:
        if not isinstance(response.raw, urllib3.BaseHTTPResponse):
            # The response of an adapter other than that of requests.
            return response.content or b""
        if request.deadline is None and (closed is None or request.read_at_once):
            return response.content
        return _read_in_pieces(response, request.deadline, closed, timeout)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def _read_in_pieces(
    response: requests.Response,
    deadline: Deadline | None,
    closed: threading.Event | None,
    timeout: float,
) -> bytes:
    # The response to a held request has a space now and then, and a slow server
    # sends byte by byte: check for the end after each piece.
    import requests

    pieces: list[bytes] = []
    while True:
        if closed is not None and closed.is_set():
            raise Closed
        if deadline is not None:
            if deadline.passed:
                raise requests.ReadTimeout("the response was still coming")
            _limit_wait(response, deadline.left(timeout))
        piece = response.raw.read1(_MOST_AT_ONCE, decode_content=True)
        if not piece:
            # A hook of the caller's session may have read the body, which is then kept.
            return b"".join(pieces) or response.content
        pieces.append(piece)


def _limit_wait(response: requests.Response, seconds: float) -> None:
    # The socket still has the timeout from before the headers.
    socket = getattr(getattr(response.raw, "connection", None), "sock", None)
    if socket is not None:
        socket.settimeout(max(0.001, seconds))
