"""When to ask next, on a server that cannot hold a request until something comes. Pure."""

from __future__ import annotations

FIRST = 1.0
"""Seconds between two reads while something comes."""

LONGEST = 8.0
"""Seconds between two reads after a long quiet time."""

_GROWTH = 1.3
_FAST_FIRST = 0.05
_FAST_LONGEST = 1.0


def next_wait(last: float, *, activity: bool, fast: bool = False) -> float:
    """Seconds until the next read.

    Args:
        last: seconds that were waited before the read just made.
        activity: whether that read brought something.
        fast: the server is near, and sets no limit.
    """
    first, longest = (_FAST_FIRST, _FAST_LONGEST) if fast else (FIRST, LONGEST)
    return first if activity else min(longest, max(first, last * _GROWTH))
