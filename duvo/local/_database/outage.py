"""Outages of the database: one log line when it stops answering, one when it is back."""

from __future__ import annotations

import logging
import threading
import time

from .._text import one_line

logger = logging.getLogger("duvo.local")

_SETTLING = 1.0
"""Seconds after the end of an outage in which failures still belong to it."""


class Outage:
    """An outage of the database: reported by many threads, logged once."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._ended = float("-inf")
        self._lock = threading.Lock()

    def begin(self, error: Exception) -> None:
        """Record that the database did not answer."""
        with self._lock:
            if self._since is not None or time.monotonic() - self._ended < _SETTLING:
                return
            self._since = time.monotonic()
        logger.warning("the database does not answer; waiting for it: %s", one_line(error))

    def end(self) -> None:
        """Record that the database answered."""
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            seconds = time.monotonic() - self._since
            self._since, self._ended = None, time.monotonic()
        logger.warning("the database answers again, after %.1f s", seconds)
