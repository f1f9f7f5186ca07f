"""How many requests may still be sent under a rate limit, learnt from what the server tells. Pure.

A server tells how many requests it still takes in a window of time, or refuses
one. Changes (a start, a reply) go as long as anything is left, single reads
leave a little for them, and polling leaves more and is spread over what is left
of the window.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CHANGE, READ, POLL = range(3)
"""The kinds of requests, the most urgent first."""

WINDOW = 60.0
"""Seconds that a window lasts, where a server tells no end of it."""

_LATE = 1.0
"""Seconds by which a window may end later than told: times in headers are whole seconds."""

_SAME_WINDOW = 2.5
_LONGEST_WINDOW = 3600.0
_KEPT_BACK = 20
_PAUSE_AFTER_REFUSAL = 4.0
_MOST_SENT = 10_000


class Told:
    """What an answer's headers tell of the limit.

    Attributes:
        limit: requests in a window, or None where it is not told.
        remaining: requests left in this one.
        seconds: until the window ends.
    """

    __slots__ = ("limit", "remaining", "seconds")

    def __init__(self, limit: float | None, remaining: float, seconds: float):
        self.limit = limit
        self.remaining = remaining
        self.seconds = seconds


def told_by(headers: Mapping[str, str], unix: float) -> Told | None:
    """What these headers tell of the limit, or None.

    Args:
        headers: of the answer, with names in any case.
        unix: Unix time in seconds here, for servers that do not tell theirs.
    """
    for prefix in ("x-ratelimit-", "ratelimit-"):
        if prefix + "remaining" in headers:
            break
    else:
        return None
    try:
        remaining = float(headers[prefix + "remaining"])
        reset = float(headers[prefix + "reset"])
        limit = float(headers[prefix + "limit"]) if prefix + "limit" in headers else None
    except (KeyError, ValueError):
        return None
    # One header counts in seconds from now, the other in Unix time, which is the server's.
    seconds = reset - _server_time(headers, unix) if reset > 1e9 else reset
    if not (0 <= seconds <= _LONGEST_WINDOW and 0 <= remaining < float("inf")):
        return None
    return Told(limit if limit is not None and limit >= 1 else None, remaining, seconds)


class Budget:
    """What may be sent under one limit. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self._sent = 0
        self._limit: float | None = None
        self._remaining = 0.0
        self._told_at = 0
        self._ends = 0.0
        self._end_is_guessed = False
        self._next_poll = 0.0
        self._blocked_until = 0.0
        # Of the last minute; what a server that tells no limit has refused is measured by them.
        self._moments: deque[float] = deque(maxlen=_MOST_SENT)
        self._rate: float | None = None

    def hold(self, kind: int, now: float) -> float:
        """Seconds for which a request of this kind must not be sent; 0 when it may."""
        if now < self._blocked_until:
            return self._blocked_until - now
        self._begin_anew(now)
        if self._limit is None or self._left > self._kept_back(kind):
            return 0.0
        return self._ends - now

    def slot(self, now: float) -> float:
        """The moment for the next poll, after those that were handed out before."""
        at = max(now, self._next_poll)
        self._next_poll = at + self._gap(at)
        return at

    def send(self, now: float) -> int:
        """Count a request; returns its number, by which its answer is told apart."""
        self._sent += 1
        self._moments.append(now)
        return self._sent

    def learn(self, told: Told, number: int, now: float) -> None:
        """Take in what the answer to that request tells."""
        ends = now + told.seconds + _LATE
        in_window = self._limit is not None and abs(ends - self._ends) <= _SAME_WINDOW
        if in_window and told.remaining > self._remaining:
            return  # an answer that was overtaken by a later one
        if self._limit is not None and ends < self._ends - _SAME_WINDOW and number < self._told_at:
            return  # of a window that is over
        self._limit = max(told.limit or self._limit or 0.0, told.remaining, 1.0)
        self._remaining, self._told_at = told.remaining, number
        if not in_window or self._end_is_guessed:
            self._ends, self._end_is_guessed = ends, False

    def refuse(self, retry_after: float | None, now: float) -> None:
        """Take in that a request was too many.

        Args:
            retry_after: seconds that the server asks to wait, or None.
            now: the time.
        """
        if retry_after is not None:
            until = now + min(retry_after, _LONGEST_WINDOW)
            self._blocked_until = max(self._blocked_until, until)
        # A single call has a pause of its own; those that poll give way to it.
        polls_from = max(self._blocked_until, now + _PAUSE_AFTER_REFUSAL)
        self._next_poll = max(self._next_poll, polls_from)
        if self._limit is None:
            while self._moments and self._moments[0] < now - WINDOW:
                self._moments.popleft()
            # What was sent in a minute was too much, unless it was little, and others sent more.
            if len(self._moments) >= WINDOW:
                self._rate = 0.9 * len(self._moments) / WINDOW

    @property
    def is_limited(self) -> bool:
        """Whether this server has ever told of a limit."""
        return self._limit is not None or self._rate is not None

    @property
    def _left(self) -> float:
        return self._remaining - (self._sent - self._told_at)

    def _kept_back(self, kind: int) -> float:
        limit = self._limit or 0.0
        kept = min(limit - 1.0, max(1.0, limit // _KEPT_BACK))
        return (0.0, kept // 2, kept)[kind]

    def _gap(self, now: float) -> float:
        if self._limit is None:
            return 1.0 / self._rate if self._rate else 0.0
        seconds = max(0.0, self._ends - now)
        usable = self._left - self._kept_back(POLL)
        return seconds / usable if usable >= 1.0 else seconds

    def _begin_anew(self, now: float) -> None:
        if self._limit is not None and now >= self._ends:
            # What was sent in the last moments may have come into the new window already.
            began = self._ends - _LATE
            late = sum(
                1 for _ in takewhile(lambda moment: moment >= began, reversed(self._moments))
            )
            self._remaining, self._told_at = self._limit, self._sent - late
            self._ends, self._end_is_guessed = now + WINDOW, True


def _server_time(headers: Mapping[str, str], unix: float) -> float:
    date = headers.get("date")
    if date is None:
        return unix
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return unix
