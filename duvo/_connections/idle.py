"""How long a connection has been idle."""

from __future__ import annotations

import time

LONGEST_IDLE = 2.0
"""Seconds after which a connection is not used for a change, whose outcome would be
unknown if the connection were dead. Many servers close idle connections after 5 s, and
some after little more than 2 s."""


class IdleTime:
    """The seconds since a moment, including those for which the machine slept."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin to count."""
        self._monotonic = time.monotonic()
        self._wall = time.time()

    def seconds(self) -> float:
        """Return the seconds; more if the machine's clock was set."""
        # The monotonic clock stands still while a machine sleeps.
        return max(time.monotonic() - self._monotonic, time.time() - self._wall)
