"""Everything that `duvo` raises.

DuvoError
├── ConfigError                  settings that cannot work
│   ├── MissingCredential        no API key anywhere
│   ├── UnknownProfile           a profile was named that is not in the file
│   └── JournalError             the journal of a batch cannot be used
├── ConnectionError              the server was not reached, or the connection broke
│   └── TLSError                 the server could not be trusted
├── TimeoutError                 no answer within the time for one request
├── OutcomeUnknown               a change was sent, and whether it happened is not known
├── UnexpectedAnswer             an answer that is not what the API says
├── NotLoaded                    an attribute whose data has not been read yet
├── InvalidReply                 a reply that does not fit what is pending
├── AmbiguousAgent               a name that several agents share
├── APIError                     the server said no (status, code, message, request_id)
│   ├── AuthenticationError      401
│   ├── PermissionDenied         403
│   ├── NotFound                 404
│   ├── Conflict                 409
│   ├── InvalidRequest           400, 413, 422 and other 4xx
│   ├── RateLimited              429
│   └── ServerError              5xx
├── RunError                     how a run stands (run)
│   ├── RunFailed
│   ├── RunStopped
│   └── HumanRequestPending      a human request that nothing here may answer
├── MapIncomplete                inputs of a batch that have no finished run (failures)
└── WaitTimeout                  a wait or a follow ran out of time; the run goes on

Each takes its whole text as the one positional argument and the rest as
optional keywords, which is what lets them pickle and copy as they are.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._models.human_requests import HumanRequest
    from ._resources.agents import Agent
    from ._resources.run import Run


class DuvoError(Exception):
    """The parent of all errors of this library.

    Attributes:
        method: HTTP method of the request that failed, or None.
        path: its path, or None.
    """

    method: str | None = None
    path: str | None = None

    def __init__(self, message: str, *, method: str | None = None, path: str | None = None):
        super().__init__(message)
        self.method = method
        self.path = path


class ConfigError(DuvoError):
    """Settings that are missing or cannot work."""


class MissingCredential(ConfigError):
    """No API key in arguments, environment or profile."""


class UnknownProfile(ConfigError):
    """A profile was named that the profile file does not have."""


class JournalError(ConfigError):
    """The journal of a batch cannot be used: in use, another batch's, or not to be written."""


class ConnectionError(DuvoError):
    """The server was not reached, or the connection broke.

    Attributes:
        arrived: False when the server surely never saw the request.
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


class TLSError(ConnectionError):
    """The server's certificate or its TLS could not be accepted. Never tried again."""


class TimeoutError(DuvoError):
    """No answer within the time for one request.

    Attributes:
        arrived: False when not even the connection was made.
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
    """A change was sent, and whether it happened is not known.

    It is not sent again, since that could do it twice. The text says how to
    find out; `__cause__` is what went wrong.
    """


class UnexpectedAnswer(DuvoError):
    """The server's answer is not what the API says (HTML, cut JSON, a missing field).

    Attributes:
        may_pass: whether asking again may well bring a better one: true of an
            answer that could not be read at all.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        may_pass: bool = False,
    ):
        super().__init__(message, method=method, path=path)
        self.may_pass = may_pass


class NotLoaded(DuvoError, AttributeError):
    """The attribute's data has not been read from the server yet."""


class InvalidReply(DuvoError):
    """A reply that does not fit what is pending. Nothing was sent.

    Attributes:
        request: the pending human request, or None when nothing is pending.
    """

    def __init__(self, message: str, *, request: HumanRequest | None = None):
        super().__init__(message)
        self.request = request


class AmbiguousAgent(DuvoError):
    """Several agents share the name.

    Attributes:
        agents: those agents.
    """

    def __init__(self, message: str, *, agents: Sequence[Agent] = ()):
        super().__init__(message)
        self.agents = tuple(agents)


class APIError(DuvoError):
    """The server answered with an error.

    Attributes:
        status: HTTP status.
        code: the server's word for the error, or None.
        message: the server's sentence, or None.
        request_id: the server's id of the request, or None.
        retry_after: seconds that the server asked to wait, or None.
        body: the answer's JSON, without the key; None where it had none.
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
    ):
        super().__init__(text, method=method, path=path)
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
    """404: there is no such thing, or it belongs to another team."""


class Conflict(APIError):
    """409: the state of the thing does not allow this."""


class InvalidRequest(APIError):
    """400, 413, 422 and other 4xx: the request itself is wrong."""


class RateLimited(APIError):
    """429: too many requests; `retry_after` is in seconds, when told."""


class ServerError(APIError):
    """5xx: the server failed."""


class RunError(DuvoError):
    """How a run stands, as an error.

    Attributes:
        run: the run.
    """

    def __init__(self, message: str, *, run: Run | None = None):
        super().__init__(message)
        self.run = run


class RunFailed(RunError):
    """The run ended as failed; `run.failure` says why."""


class RunStopped(RunError):
    """The run was stopped before it ended by itself."""


class HumanRequestPending(RunError):
    """The run waits for a human, and nothing here may answer.

    Attributes:
        request: the pending human request.
    """

    def __init__(
        self, message: str, *, run: Run | None = None, request: HumanRequest | None = None
    ):
        super().__init__(message, run=run)
        self.request = request


class MapIncomplete(DuvoError):
    """Some inputs of a batch have no finished run, after all others were carried to their ends.

    Attributes:
        failures: for each of them its place among the inputs, the input, and the error.
    """

    def __init__(self, message: str, *, failures: Sequence[tuple[int, Any, DuvoError]] = ()):
        super().__init__(message)
        self.failures = tuple(failures)


class WaitTimeout(DuvoError):
    """A wait or a follow ran out of time. The run goes on.

    Attributes:
        run_id: the run that was waited for.
        timeout: the seconds that were given.
    """

    def __init__(self, message: str, *, run_id: str | None = None, timeout: float | None = None):
        super().__init__(message)
        self.run_id = run_id
        self.timeout = timeout
