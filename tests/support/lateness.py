"""How late something is, on a machine that may be busy with other things."""

from __future__ import annotations

import time
from collections.abc import Callable

AT_MOST = 0.5
"""Seconds by which a call may end after its timeout."""

_ATTEMPTS = 10


def lateness(seconds: float, attempt: Callable[[], object]) -> float:
    """Return how much longer than these seconds an attempt takes, at the best of several.

    What is late by itself is late each time; what waits for a busy machine is not.
    """
    best = float("inf")
    for _ in range(_ATTEMPTS):
        began = time.monotonic()
        attempt()
        best = min(best, time.monotonic() - began - seconds)
        if best <= AT_MOST:
            break
    return best
