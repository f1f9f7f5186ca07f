"""Polling: reading repeatedly, through outages, until a deadline."""

from __future__ import annotations

import logging
import threading

from .. import _errors
from .._advice import words
from .._flow.steps import Sleep
from .._http import retries
from .._http.sender import get
from .._settings.arguments import checked_timeout
from .._time.clock import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._http.response import Response

    T = TypeVar("T")

logger = logging.getLogger("duvo")

OUTAGE_LIMIT = 300.0
"""Seconds of failing reads after which a wait or a follow gives up."""

NEW_RUN_GRACE = 10.0
"""Seconds for which a run that was just started may be unknown to the server (404)."""

SHORTEST_PAUSE = 1.0
"""Seconds between two polls while there is activity."""

LONGEST_PAUSE = 8.0
"""Seconds between two polls after a long time without activity."""

_GROWTH = 1.3
_FAST_SHORTEST = 0.05
_FAST_LONGEST = 1.0
_UNREPORTED_OUTAGE = 2.0
_LONGEST_SLEEP = 3600.0


def next_pause(last: float, *, activity: bool, fast: bool = False) -> float:
    """Return the seconds until the next poll, on a server that cannot hold a request.

    The pause grows from `last` unless the last poll brought anything new. A `fast`
    server is near and has no rate limit.
    """
    shortest, longest = (_FAST_SHORTEST, _FAST_LONGEST) if fast else (SHORTEST_PAUSE, LONGEST_PAUSE)
    return shortest if activity else min(longest, max(shortest, last * _GROWTH))


class Poller:
    """Repeats reads until they succeed or a deadline passes.

    Args:
        run_id: the run, or None for several runs.
        timeout: seconds in all; None for no deadline; 0 to look once, with the
            client's own timeout for each read.
        started_at: when this client started the run, on its clock, or None.
        patient: whether to continue through outages; otherwise a read fails as
            a single call does.

    Attributes:
        status: the run's status as last read, or "".
    """

    def __init__(
        self,
        api: Api,
        run_id: str | None,
        timeout: float | None,
        *,
        started_at: float | None = None,
        patient: bool = True,
    ):
        if timeout is not None:
            timeout = checked_timeout(timeout, may_be_zero=True)
        self.api = api
        self.status = ""
        self.deadline = Deadline(api.clock, timeout)
        self._timeout = timeout
        self._looks_once = timeout == 0
        self._run_id = run_id
        self._subject = "the runs" if run_id is None else f"run {run_id}"
        self._started_at = started_at
        self._patient = patient
        self._has_read = False
        self._last_failure: _errors.DuvoError | None = None
        self._failing_since: float | None = None
        self._elsewhere_since: float | None = None
        self._failures = 0
        self._reported = False

    @property
    def longest_hold(self) -> float:
        """Maximum seconds for which the server may hold a read; 0 if it must not."""
        return 0.0 if self._looks_once else self.api.server.long_poll

    def get_once(self, path: str, params: Sequence[tuple[str, str]]) -> Flow[Response]:
        """Send a GET, without retries: `repeat` repeats it."""
        if not self._patient and self.deadline.timeout is None:
            return get(self.api, path, params=params, retries=0, read_at_once=True)
        return get(
            self.api,
            path,
            params=params,
            retries=0,
            deadline=self.deadline,
            polling=self._patient and not self._looks_once,
        )

    def repeat(self, attempt: Callable[[], Flow[T]]) -> Flow[T]:
        """Make attempts until one succeeds, and return its result.

        Raises `WaitTimeout` after the deadline, and failures that are not transient or
        last longer than OUTAGE_LIMIT.
        """
        while True:
            if self._looks_once:
                self.deadline = Deadline(self.api.clock, self.api.timeout)
            self.check_deadline()
            try:
                result = yield from attempt()
            except _errors.DuvoError as error:
                yield from self._tolerate(error)
            else:
                self._record_success()
                return result

    def rest(self, seconds: float, reason: str) -> Flow[None]:
        """Sleep between two polls, but not beyond the deadline."""
        self.check_look()
        yield Sleep(self.deadline.left(seconds), reason, polling=True)

    def sleep(self, seconds: float, reason: str, *, rate_limited: bool = False) -> Flow[None]:
        """Sleep, but not beyond the deadline."""
        yield Sleep(self.deadline.left(seconds), reason, rate_limited=rate_limited)

    def check_deadline(self) -> None:
        """Raise `WaitTimeout` if the deadline has passed."""
        if self.deadline.passed and not self._looks_once:
            raise self.out_of_time()

    def check_look(self) -> None:
        """Raise `WaitTimeout` before a second look, if there is to be one only."""
        if self._looks_once:
            raise self.out_of_time()

    def _tolerate(self, error: _errors.DuvoError) -> Flow[None]:
        self._last_failure = retries.failure_to_report(self._last_failure, error, self.deadline)
        self.check_deadline()
        if isinstance(error, _errors.NotFound) and self._is_new():
            self.check_look()
            yield from self.sleep(0.5, "the run was only just started")
            return
        if not retries.is_transient(error) or self._has_wrong_address(error):
            raise error
        if not self._patient:
            yield from self._retry(error)
            return
        self.check_look()
        asked = getattr(error, "retry_after", None)
        if isinstance(error, _errors.RateLimited):
            seconds = min(_LONGEST_SLEEP, retries.backoff(4, asked))
            reason = f"the rate limit, while reading {self._subject}"
            yield from self.sleep(seconds, reason, rate_limited=True)
            return
        now = self.api.clock.now()
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now
        lasted = now - self._failing_since
        if lasted > OUTAGE_LIMIT:
            raise error
        if not self._reported and (self._failures > 1 or lasted > _UNREPORTED_OUTAGE):
            self._reported = True
            logger.warning("%s cannot be read, still trying: %s", self._subject, error)
        # A long Retry-After must not outlast the limit of an outage.
        left = OUTAGE_LIMIT - lasted + 1.0
        seconds = min(left, retries.pause(min(self._failures, 5), error))
        yield from self.sleep(seconds, "the server cannot be read")

    def _retry(self, error: _errors.DuvoError) -> Flow[None]:
        may_retry = retries.may_retry(error, repeatable=True)
        if not may_retry or self._failures >= self.api.max_retries:
            raise error
        self._failures += 1
        yield from self.sleep(retries.pause(self._failures, error), "before the next attempt")

    def _has_wrong_address(self, error: _errors.DuvoError) -> bool:
        """Whether responses that cannot be the API's have come for long."""
        if not (isinstance(error, _errors.UnexpectedAnswer) and error.from_elsewhere):
            self._elsewhere_since = None
            return False
        now = self.api.clock.now()
        if self._elsewhere_since is None:
            self._elsewhere_since = now
        return retries.is_elsewhere(error, now - self._elsewhere_since)

    def _record_success(self) -> None:
        if self._reported and self._failing_since is not None:
            lasted = self.api.clock.now() - self._failing_since
            logger.warning("%s can be read again after %.0f s", self._subject, lasted)
        self._has_read = True
        self._last_failure = None
        self._failing_since = self._elsewhere_since = None
        self._failures = 0
        self._reported = False

    def _is_new(self) -> bool:
        return (
            self._started_at is not None and self.api.clock.now() - self._started_at < NEW_RUN_GRACE
        )

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; -1.0 if there is none."""
        return self.deadline.left(threading.TIMEOUT_MAX) if self.deadline.timeout else -1.0

    def out_of_time(self) -> _errors.WaitTimeout:
        """Return the error for a wait whose time is up, with the last failure as its cause."""
        error = _errors.WaitTimeout(
            self._text(), run_id=self._run_id, timeout=self._timeout, was_read=self._has_read
        )
        error.__cause__ = self._last_failure
        return error

    def _text(self) -> str:
        within = f"within {round(self._timeout or 0.0, 2):g} s"
        failure = "" if self._last_failure is None else f" ({self._last_failure})"
        if not self._has_read:
            may = f"{'it' if self._run_id else 'they'} may have ended"
            return f"{self._subject} could not be read {within}{failure}; {may}: wait again"
        if self._failing_since is not None:
            known = f"{within}, as far as could be read{failure}"
            return f"{self._subject} did not end {known}: wait again"
        if self._run_id is None:
            rest = "the others run or wait for a human"
            return f"not all runs ended {within}; {rest}: wait again"
        if self.status == "waiting":
            return (
                f"run {self._run_id} waits for a human, and was not answered {within}: answer it "
                f"({words().see_request(self._run_id)}), and wait again"
            )
        if not self.status:
            return f"run {self._run_id} was not seen to end {within}; it may have ended: wait again"
        return (
            f"run {self._run_id} did not end {within}; it is still running: "
            f"wait again, or {words().stop_run(self._run_id)}"
        )
