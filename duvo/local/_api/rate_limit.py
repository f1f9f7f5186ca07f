"""A limit of requests a minute, told as the hosted API tells it. Pure."""

from __future__ import annotations

import math

import attrs

WINDOW = 60
"""Seconds that a count of requests lasts."""


@attrs.frozen
class Standing:
    """How a request stands to the limit.

    Attributes:
        limit: requests a window.
        remaining: how many are left after this one.
        resets_at: Unix time in seconds at which the count begins anew.
        retry_after: seconds to wait, when this one is too many; otherwise None.
    """

    limit: int
    remaining: int
    resets_at: int
    retry_after: int | None

    def headers(self) -> list[tuple[str, str]]:
        """The headers that tell it."""
        told = [
            ("x-ratelimit-limit", str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.resets_at)),
        ]
        if self.retry_after is not None:
            told.append(("retry-after", str(self.retry_after)))
        return told


class RateLimit:
    """Counts requests in windows of a minute."""

    def __init__(self, limit: int):
        self.limit = limit
        self._ends = 0.0
        self._count = 0

    def count(self, now: float) -> Standing:
        """Count one request.

        Args:
            now: Unix time in seconds.
        """
        if now >= self._ends or self._ends - now > WINDOW:
            self._ends, self._count = now + WINDOW, 0
        resets_at = math.ceil(self._ends)
        if self._count >= self.limit:
            return Standing(self.limit, 0, resets_at, max(1, math.ceil(self._ends - now)))
        self._count += 1
        return Standing(self.limit, self.limit - self._count, resets_at, None)
