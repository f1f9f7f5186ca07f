"""The clock of this process's engine: the time of day, which tests set ahead."""

from __future__ import annotations

import time


class Clock:
    """The time of day, and how many seconds it is ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time() + self.ahead


clock = Clock()
