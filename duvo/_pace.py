"""When to ask next, on a server that cannot hold a request until something comes. Pure."""

from __future__ import annotations

FIRST = 1.0
"""Seconds between two reads while something comes."""

LONGEST = 8.0
"""Seconds between two reads after a long quiet time."""

_GROWTH = 1.3


def next_wait(last: float, *, activity: bool) -> float:
    """Seconds until the next read.

    Args:
        last: seconds that were waited before the read just made.
        activity: whether that read brought something.
    """
    return FIRST if activity else min(LONGEST, max(FIRST, last * _GROWTH))


class Budget:
    """The share of a rate limit that one reader may use, from what the server's headers show.

    Between two of its own reads it sees how many requests everybody with the
    same key has made; so many will be made in the next round too, and what is
    left has to last until the window ends.
    """

    def __init__(self) -> None:
        self._remaining: float | None = None
        self._resets_at: float | None = None

    def wait(self, remaining: float, resets_at: float, now: float) -> float:
        """Seconds to wait at least, so that the limit is not met.

        Args:
            remaining: requests left in this window, as told now.
            resets_at: Unix time in seconds at which the window ends.
            now: Unix time in seconds.
        """
        seconds = resets_at - now
        same_window = self._resets_at is not None and abs(resets_at - self._resets_at) < 2
        spent = max(1.0, self._remaining - remaining) if same_window and self._remaining else 1.0
        self._remaining, self._resets_at = remaining, resets_at
        if seconds <= 0 or seconds > 3600:
            return 0.0
        if remaining <= 0:
            return seconds
        return min(seconds, seconds * spent / remaining)
