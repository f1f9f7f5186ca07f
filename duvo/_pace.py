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
