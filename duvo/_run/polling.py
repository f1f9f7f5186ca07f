"""Reading on through an outage, within a wait or a follow."""

from __future__ import annotations

import logging

from .. import _errors
from .._http import retries
from .._http.clock import WORTH_TELLING, Deadline, pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import TypeVar

    from .._http.transport import Answer, Transport

    T = TypeVar("T")

logger = logging.getLogger("duvo")
pace_logger = logging.getLogger("duvo.pace")

OUTAGE_LIMIT = 300.0
"""Seconds for which every read may fail before a wait or a follow gives up."""

NEW_RUN_GRACE = 10.0
"""Seconds for which a run that was just started may answer 404."""

_OUTAGE_WORTH_TELLING = 2.0
_LONGEST_SLEEP = 3600.0


class Reader:
    """Reads until a deadline, and goes on while the server cannot be read.

    Args:
        transport: what sends.
        about: the run's id, or None when it reads about many.
        timeout: seconds in all, or None for no end.
        started_at: when this run was started from here, on the client's clock, or None.
        closed: when set, reading ends with `Closed`.
        patient: go on through an outage; else fail as a single call does.
    """

    def __init__(
        self,
        transport: Transport,
        about: str | None,
        timeout: float | None,
        *,
        started_at: float | None = None,
        closed: threading.Event | None = None,
        patient: bool = True,
    ):
        if timeout is not None and not timeout > 0:
            raise _errors.ConfigError(f"timeout must be seconds above 0, not {timeout}")
        self.transport = transport
        self._about = about
        self._what = "the runs" if about is None else f"run {about}"
        self.clock = transport.clock
        self.deadline = Deadline(self.clock, timeout)
        self._started_at = started_at
        self._closed = closed
        self._patient = patient
        self._failing_since: float | None = None
        self._failures = 0
        self._told = False

    def send(self, path: str, params: list[tuple[str, str]]) -> Answer:
        """GET, once: for what is given to `read`."""
        if not self._patient and self.deadline.timeout is None:
            # Read once through with no end to keep: whole bodies come faster.
            return self.transport.send("GET", path, params=params)
        return self.transport.send(
            "GET",
            path,
            params=params,
            retries=0 if self._patient else None,
            deadline=self.deadline,
            closed=self._closed,
            polling=self._patient,
        )

    def read(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, once it does.

        Raises:
            WaitTimeout: the deadline came first.
            DuvoError: the read failed in a way that will not mend, or for
                longer than OUTAGE_LIMIT.
        """
        while True:
            self.check()
            try:
                answer = attempt()
            except _errors.DuvoError as error:
                self._bear(error)
            else:
                self._recovered()
                return answer

    def rest(self, seconds: float, why: str) -> None:
        """Sleep between two reads."""
        seconds = self.deadline.left(seconds)
        if seconds > WORTH_TELLING:
            pace_logger.info("asking again in %.0f s: %s", seconds, why)
        self.clock.sleep(seconds, self._closed)

    def sleep(self, seconds: float, why: str) -> None:
        """Sleep, but not beyond the deadline."""
        pause(self.clock, self.deadline.left(seconds), why, self._closed)

    def check(self) -> None:
        """Raise when there is no more time, or when nobody reads any more."""
        if self._closed is not None and self._closed.is_set():
            from .._http.bodies import Closed

            raise Closed
        if self.deadline.passed:
            raise self._out_of_time()

    def _bear(self, error: _errors.DuvoError) -> None:
        if self.deadline.passed:
            raise self._out_of_time() from error
        if isinstance(error, _errors.NotFound) and self._is_new():
            self.sleep(0.5, "the run was only just started")
            return
        if not retries.is_transient(error) or self._has_tried_enough(error):
            raise error
        asked = getattr(error, "retry_after", None)
        if isinstance(error, _errors.RateLimited):
            seconds = min(_LONGEST_SLEEP, retries.backoff(4, asked))
            self.sleep(seconds, f"the rate limit, while reading about {self._what}")
            return
        now = self.clock.now()
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now
        lasted = now - self._failing_since
        if lasted > OUTAGE_LIMIT:
            raise error
        if not self._told and (self._failures > 1 or lasted > _OUTAGE_WORTH_TELLING):
            self._told = True
            logger.warning("%s cannot be read, trying on: %s", self._what, error)
        # A server that asks for patience gets no more than an outage gets.
        left = OUTAGE_LIMIT - lasted + 1.0
        self.sleep(
            min(left, retries.backoff(min(self._failures, 5), asked)), "the server cannot be read"
        )

    def _has_tried_enough(self, error: _errors.DuvoError) -> bool:
        if self._patient:
            return False
        # The transport has sent it again already; a wrong page it cannot know.
        return not isinstance(error, _errors.UnexpectedAnswer) or self._failures >= 3

    def _recovered(self) -> None:
        if self._told and self._failing_since is not None:
            lasted = self.clock.now() - self._failing_since
            logger.warning("%s can be read again after %.0f s", self._what, lasted)
        self._failing_since = None
        self._failures = 0
        self._told = False

    def _is_new(self) -> bool:
        return self._started_at is not None and self.clock.now() - self._started_at < NEW_RUN_GRACE

    def _out_of_time(self) -> _errors.WaitTimeout:
        seconds = self.deadline.timeout
        if self._about is None:
            text = f"not all runs ended within {seconds:g} s; they go on: wait again"
        else:
            text = (
                f"run {self._about} did not end within {seconds:g} s; it goes on: "
                f"wait again, or stop it with `duvo runs stop {self._about}`"
            )
        return _errors.WaitTimeout(text, run_id=self._about, timeout=seconds)
