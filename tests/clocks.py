"""A clock that stands still unless it is slept on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from duvo._clock import Clock


class StoppedClock(Clock):
    """Time passes only by sleeping; each sleep is written down.

    Args:
        on_sleep: called after each sleep, with the time that it then is.
    """

    def __init__(self, on_sleep: Callable[[float], object] = lambda now: None):
        self.time = 1000.0
        self.sleeps: list[float] = []
        self.on_sleep = on_sleep

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return 1_800_000_000.0 + self.time

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        if seconds > 0:
            self.time += seconds
            self.sleeps.append(seconds)
            self.on_sleep(self.time)
