"""Everything that `duvo` raises.

DuvoError
├── ConfigError                  a missing or invalid setting or argument
│   ├── MissingCredential        no API key was found
│   ├── UnknownProfile           the profile file does not have this profile
│   └── JournalError             the journal of a batch cannot be used
├── ConnectionError              the server was not reached, or the connection broke
│   └── TLSError                 the server's certificate or TLS was not accepted
├── TimeoutError                 no response within the time for one request
├── OutcomeUnknown               a change was sent, and may or may not have happened
├── UnexpectedAnswer             a response that does not match the API
├── NotLoaded                    an attribute whose data has not been read yet
├── InvalidReply                 a reply that does not fit the pending request
├── AmbiguousAgent               several agents have this name
├── AmbiguousRun                 several runs have an id that begins like this
├── APIError                     an error response (status, code, message, request_id)
│   ├── AuthenticationError      401
│   ├── PermissionDenied         403
│   ├── NotFound                 404
│   ├── Conflict                 409
│   ├── InvalidRequest           400, 413, 422 and other 4xx
│   ├── RateLimited              429
│   └── ServerError              5xx
├── RunError                     the state of a run prevents a result (run)
│   ├── RunFailed
│   ├── RunStopped
│   └── HumanRequestPending      a human request that `on_request` does not answer
├── MapIncomplete                inputs of a batch without a finished run (failures)
└── WaitTimeout                  a wait or a follow ran out of time; the run has not ended

Each takes its text as the only positional argument and the rest as optional
keywords: so all of them can be pickled and copied.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ._models.human_requests import HumanRequest
    from ._resources.agents import Agent


class DuvoError(Exception):
    """The base class of all errors of this library.

    Attributes:
        method: the HTTP method of the request that failed, or None.
        path: the path of that request, or None.
    """

    method: str | None = None
    path: str | None = None

    def __init__(self, message: str, *, method: str | None = None, path: str | None = None):
        super().__init__(message)
        self.method = method
        self.path = path


class ConfigError(DuvoError):
    """A setting or an argument is missing or invalid."""


class MissingCredential(ConfigError):
    """No API key was found in arguments, environment or profile file."""


class UnknownProfile(ConfigError):
    """The profile file does not have this profile."""


class JournalError(ConfigError):
    """The journal of a batch is in use, belongs to another batch, or cannot be written."""


class ConnectionError(DuvoError):
    """The server was not reached, or the connection broke.

    Attributes:
        arrived: False if the server certainly did not receive the request.
        may_pass: whether a retry is likely to succeed; False if a proxy refuses to connect.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        arrived: bool = True,
        may_pass: bool = True,
    ):
        super().__init__(message, method=method, path=path)
        self.arrived = arrived
        self.may_pass = may_pass


class TLSError(ConnectionError):
    """The server's certificate or TLS was not accepted. Never retried."""


class TimeoutError(DuvoError):
    """No response within the time for one request.

    Attributes:
        arrived: False if the request was not sent.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        arrived: bool = True,
    ):
        super().__init__(message, method=method, path=path)
        self.arrived = arrived


class OutcomeUnknown(DuvoError):
    """A change was sent, and may or may not have happened.

    It was not retried, since that could do it twice. The text says how to find
    out; `__cause__` is the failure of the request.
    """


class UnexpectedAnswer(DuvoError):
    """The server's response does not match the API (HTML, truncated JSON, a missing field).

    Attributes:
        may_pass: whether a retry is likely to succeed, as after a response that
            could not be parsed at all.
        from_elsewhere: whether it may come from another server than the API, as a
            login page does; the base URL may be wrong.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        may_pass: bool = False,
        from_elsewhere: bool = False,
    ):
        super().__init__(message, method=method, path=path)
        self.may_pass = may_pass
        self.from_elsewhere = from_elsewhere


class NotLoaded(DuvoError, AttributeError):
    """The attribute's data has not been read from the server yet."""


class InvalidReply(DuvoError):
    """The reply does not fit the pending request. Nothing was sent.

    Attributes:
        request: the pending human request, or None.
    """

    def __init__(self, message: str, *, request: HumanRequest | None = None):
        super().__init__(message)
        self.request = request


class AmbiguousAgent(DuvoError):
    """Several agents have this name.

    Attributes:
        agents: the agents with this name.
    """

    def __init__(self, message: str, *, agents: Sequence[Agent] = ()):
        super().__init__(message)
        self.agents = tuple(agents)


class AmbiguousRun(DuvoError):
    """Several runs have an id that begins with these characters.

    Attributes:
        run_ids: the ids of these runs.
    """

    def __init__(self, message: str, *, run_ids: Sequence[str] = ()):
        super().__init__(message)
        self.run_ids = tuple(run_ids)


class APIError(DuvoError):
    """The server responded with an error.

    Attributes:
        status: the HTTP status.
        code: the server's error code, or None.
        message: the server's error message, or None.
        request_id: the server's id of the request, or None.
        retry_after: seconds that the server asked to wait, or None.
        body: the response's JSON with the API key removed, or None.
        headers: the response's headers by names in lower case, without cookies and with
            the API key removed.
    """

    def __init__(
        self,
        text: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int = 0,
        code: str | None = None,
        message: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(text, method=method, path=path)
        self.headers = headers or {}
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body


class AuthenticationError(APIError):
    """401: the key is missing, wrong or revoked."""


class PermissionDenied(APIError):
    """403: the key may not do this."""


class NotFound(APIError):
    """404: the resource does not exist, or belongs to another team."""


class Conflict(APIError):
    """409: the state of the resource does not allow this."""


class InvalidRequest(APIError):
    """400, 413, 422 and other 4xx: the request itself is wrong."""


class RateLimited(APIError):
    """429: too many requests; `retry_after` has the seconds to wait, if the server sent them."""


class ServerError(APIError):
    """5xx: the server failed."""


class RunError(DuvoError):
    """The state of a run prevents a result.

    Attributes:
        run: the `Run` or `AsyncRun`; None in an error that was raised by hand.
    """

    def __init__(self, message: str, *, run: Any = None):
        super().__init__(message)
        self.run = run


class RunFailed(RunError):
    """The run failed; `run.failure` has the reason."""


class RunStopped(RunError):
    """The run was stopped before it ended by itself."""


class HumanRequestPending(RunError):
    """The run waits for a human, and `on_request` does not answer.

    Attributes:
        request: the pending human request.
    """

    def __init__(self, message: str, *, run: Any = None, request: HumanRequest | None = None):
        super().__init__(message, run=run)
        self.request = request


class MapIncomplete(DuvoError):
    """Some inputs of a batch have no finished run. All other runs have ended.

    Attributes:
        failures: the index, the input and the error of each of these inputs.
    """

    def __init__(self, message: str, *, failures: Sequence[tuple[int, Any, DuvoError]] = ()):
        super().__init__(message)
        self.failures = tuple(failures)


class WaitTimeout(DuvoError):
    """A wait or a follow ran out of time. The run had not ended, as far as it was read.

    `__cause__` is the last failure, if the server could not be read at the end.

    Attributes:
        run_id: the run's id; None when several runs were waited for.
        timeout: the timeout, in seconds.
        was_read: whether the server could be read at least once.
    """

    def __init__(
        self,
        message: str,
        *,
        run_id: str | None = None,
        timeout: float | None = None,
        was_read: bool = False,
    ):
        super().__init__(message)
        self.run_id = run_id
        self.timeout = timeout
        self.was_read = was_read
