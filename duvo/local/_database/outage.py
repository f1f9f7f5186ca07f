"""Outages of the database: which errors they cause, and how they are reported."""

from __future__ import annotations

import sqlite3
import threading
import time

from .._text import logger, one_line

_SQLSTATES = ("08", "25006", "53", "57P", "58")
"""Classes and codes: connection, read-only, resources, operator, system."""

_SQLITE_MESSAGES = (
    "database or disk is full",
    "disk I/O error",
    "attempt to write a readonly database",
    "unable to open database file",
    "is locked",
)

_SETTLING = 1.0
"""Seconds after the end of an outage in which failures still belong to it."""


def is_outage(error: BaseException | None) -> bool:
    """Whether the driver's error is the database's: the same work may succeed later."""
    if isinstance(error, sqlite3.Error):
        # Its codes are known from Python 3.11 on only.
        return any(message in str(error) for message in _SQLITE_MESSAGES)
    return (getattr(error, "sqlstate", None) or "").startswith(_SQLSTATES)


def is_conflict(error: BaseException | None) -> bool:
    """Whether the driver's error is due to another transaction at the same time."""
    return (getattr(error, "sqlstate", None) or "").startswith(("40", "55P03"))


def refuses_changes(error: BaseException) -> bool:
    """Whether the database answers, in this outage, but does not do what it is asked."""
    if isinstance(error, sqlite3.Error):
        return is_outage(error)
    return (getattr(error, "sqlstate", None) or "").startswith(("25006", "53", "58"))


class Outage:
    """An outage of the database: reported by many threads, logged once."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._ended = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def begin(self, error: BaseException) -> None:
        """Note that the error has been seen."""
        with self._lock:
            if self._since is not None or time.monotonic() - self._ended < _SETTLING:
                return
            self._since = time.monotonic()
        problem = "refuses changes" if refuses_changes(error) else "does not answer"
        logger.warning("the database %s; waiting for it: %s", problem, one_line(error))

    def end(self) -> None:
        """Note that a connection has been made and accepts changes."""
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            seconds = time.monotonic() - self._since
            self._since, self._ended = None, time.monotonic()
        logger.warning("the database answers again, after %.1f s", seconds)
