"""A limit of requests a minute, with the hosted API's headers. Pure."""

from __future__ import annotations

import math

import attrs

_WINDOW = 60
"""Seconds of a window in which requests are counted."""


@attrs.frozen
class RateLimitState:
    """The state of the limit after a request.

    Attributes:
        limit: requests a window.
        remaining: requests left in this window.
        resets_at: Unix time in seconds at which the next window begins.
        retry_after: seconds to wait if the request exceeded the limit, or None.
    """

    limit: int
    remaining: int
    resets_at: int
    retry_after: int | None

    def headers(self) -> list[tuple[str, str]]:
        """Return the response headers."""
        headers = [
            ("x-ratelimit-limit", str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.resets_at)),
        ]
        if self.retry_after is not None:
            headers.append(("retry-after", str(self.retry_after)))
        return headers


class RateLimit:
    """Counts requests in windows of a minute."""

    def __init__(self, limit: int):
        self.limit = limit
        self._ends = 0.0
        self._count = 0

    def count(self, now: float) -> RateLimitState:
        """Count one request.

        Args:
            now: Unix time in seconds.
        """
        if now >= self._ends or self._ends - now > _WINDOW:
            self._ends, self._count = now + _WINDOW, 0
        resets_at = math.ceil(self._ends)
        if self._count >= self.limit:
            return RateLimitState(self.limit, 0, resets_at, max(1, math.ceil(self._ends - now)))
        self._count += 1
        return RateLimitState(self.limit, self.limit - self._count, resets_at, None)
