"""A time limit for what a command does before it waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import TIMED_OUT, CommandFailed


class _OutOfTime(BaseException):
    """Raised by the alarm, through whatever takes the time."""


@contextmanager
def ends_at(deadline: float | None, failure: str) -> Iterator[None]:
    """End a block when a time on `time.monotonic` has come, with this failure.

    For requests that take no timeout of their own. Does nothing without a deadline,
    or where an alarm cannot be set: on Windows, and in other threads.
    """
    is_main = threading.current_thread() is threading.main_thread()
    alarms: Any = signal  # typeshed has its alarms on POSIX only
    if deadline is None or not is_main or not hasattr(alarms, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        raise _OutOfTime

    before = signal.signal(alarms.SIGALRM, ring)
    try:
        try:
            alarms.setitimer(alarms.ITIMER_REAL, max(0.001, deadline - time.monotonic()))
            yield
        finally:
            alarms.setitimer(alarms.ITIMER_REAL, 0)
    except _OutOfTime:
        raise CommandFailed(failure, TIMED_OUT) from None
    finally:
        signal.signal(alarms.SIGALRM, before)
