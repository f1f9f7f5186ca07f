"""Time: what the client sleeps by. Tests put their own in its place."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("duvo")

WORTH_TELLING = 5.0
"""Seconds of sleep that somebody who watches would wonder about."""


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def unix(self) -> float:
        """Unix time in seconds, for dates that servers give."""
        return time.time()

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        """Sleep, but no longer than until `closed` is set."""
        if seconds <= 0:
            return
        if closed is None:
            time.sleep(seconds)
        else:
            closed.wait(seconds)


def pause(clock: Clock, seconds: float, why: str, closed: threading.Event | None = None) -> None:
    """Sleep, and tell so at INFO when it is long enough to be wondered about."""
    if seconds > WORTH_TELLING:
        logger.info("waiting %.0f s: %s", seconds, why)
    clock.sleep(seconds, closed)


class Deadline:
    """The moment by which something must be done, or none.

    Args:
        clock: what measures.
        timeout: seconds from now, or None for no end.
    """

    def __init__(self, clock: Clock, timeout: float | None):
        self._clock = clock
        self.timeout = timeout
        self._at = None if timeout is None else clock.now() + timeout

    def left(self, at_most: float) -> float:
        """Seconds left, but at most that many; never below zero."""
        if self._at is None:
            return at_most
        return max(0.0, min(at_most, self._at - self._clock.now()))

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self._at is not None and self._clock.now() >= self._at
