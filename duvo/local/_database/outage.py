"""A database that does not answer is told in one line, and in another when it is back."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("duvo.local")

_SETTLED = 1.0
"""Seconds after the return in which what still fails belongs to the same outage."""


class Outage:
    """Whether the database is away; many threads notice it, one line tells it.

    Attributes:
        since: the monotonic time at which it was missed, or None while it answers.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self._back = float("-inf")
        self._changing = threading.Lock()

    def begin(self, error: Exception) -> None:
        """Something failed for want of the database."""
        with self._changing:
            if self.since is not None or time.monotonic() - self._back < _SETTLED:
                return
            self.since = time.monotonic()
        reason = " ".join(str(getattr(error, "orig", error)).split())
        logger.warning("the database does not answer, and is waited for: %s", reason)

    def over(self) -> None:
        """Something succeeded."""
        if self.since is None:
            return
        with self._changing:
            if self.since is None:
                return
            seconds = time.monotonic() - self.since
            self.since, self._back = None, time.monotonic()
        logger.warning("the database answers again, after %.1f s", seconds)
