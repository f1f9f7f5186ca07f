"""A limit of requests a minute, with the hosted API's headers. Pure."""

from __future__ import annotations

import math

_WINDOW = 60
"""Seconds of a window in which requests are counted."""


class RateLimit:
    def __init__(self, limit: int):
        self.limit = limit
        self._ends = 0.0
        self._count = 0

    def count(self, now: float) -> dict[str, str]:
        """Count one request, and return its headers; `retry-after` if it exceeds the limit."""
        if now >= self._ends or self._ends - now > _WINDOW:
            self._ends, self._count = now + _WINDOW, 0
        self._count += 1
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, self.limit - self._count)),
            "x-ratelimit-reset": str(math.ceil(self._ends)),
        }
        if self._count > self.limit:
            headers["retry-after"] = str(max(1, math.ceil(self._ends - now)))
        return headers
