"""The rate limit, learned from the server's headers and shared by all threads of a process.

A server reports how many requests are left in a window of time, or refuses one.
Changes (a start, a reply) are sent while any are left. Single reads keep a small
reserve for them. Polls keep a larger reserve, and are spread over the rest of
the window.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque

from .._flow.steps import Sleep
from .._forks import call_in_child, renew_in_child
from .._time.dates import server_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._flow.steps import Flow
    from .._time.clock import Clock, Deadline

CHANGE, READ, POLL = range(3)
"""The kinds of requests, the most urgent first."""

WINDOW = 60.0
"""Assumed length in seconds of a window whose end the server does not report."""

LONGEST_WAIT = 60.0
"""Maximum seconds that a single call waits; if it had to wait longer, it does not wait at all."""

_LATE = 1.0
"""Seconds by which a window may end later than reported, since headers have whole seconds."""

_SAME_WINDOW = 2.5
_LONGEST_WINDOW = 3600.0
_RESERVE = 20
_PAUSE_AFTER_REFUSAL = 4.0
_MOST_REMEMBERED = 10_000


class Quota:
    """The rate limit that a response's headers report; `seconds` until its window ends."""

    # Making a named tuple takes over a millisecond of each command.
    __slots__ = ("limit", "remaining", "seconds")

    def __init__(self, limit: float | None, remaining: float, seconds: float):
        self.limit = limit
        self.remaining = remaining
        self.seconds = seconds


def quota(headers: Mapping[str, str], unix: float) -> Quota | None:
    """Return the rate limit that these headers report, or None.

    `unix` is the local Unix time, for servers that send no date.
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
    # Some servers send seconds from now, others Unix time by their own clock.
    seconds = reset - server_time(headers, unix) if reset > 1e9 else reset
    if not (0 <= seconds <= _LONGEST_WINDOW and 0 <= remaining < float("inf")):
        return None
    return Quota(limit if limit is not None and limit >= 1 else None, remaining, seconds)


class RateLimit:
    """The state of one rate limit. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self._sent = 0
        self._limit: float | None = None
        self._remaining = 0.0
        self._reported_at = 0
        self._ends = 0.0
        self._end_is_guessed = False
        self._next_poll = 0.0
        self._blocked_until = 0.0
        # When requests were sent: the measure for a server that refuses but reports no limit.
        self._moments: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        self._rate: float | None = None

    def hold(self, kind: int, now: float) -> float:
        """Return the seconds until a request of this kind may be sent; 0 for now."""
        if now < self._blocked_until:
            return self._blocked_until - now
        self._begin_window(now)
        if self._limit is None or self._left > self._reserve(kind):
            return 0.0
        return self._ends - now

    def slot(self, now: float) -> float:
        """Reserve and return the moment for the next poll, after those reserved before."""
        at = max(now, self._next_poll)
        self._next_poll = at + self._gap(at)
        return at

    def send(self, now: float) -> int:
        """Count a request, and return its number, for `record`."""
        self._sent += 1
        self._moments.append(now)
        return self._sent

    def record(self, reported: Quota, number: int, now: float) -> None:
        """Record what the response to the request with this number reports."""
        ends = now + reported.seconds + _LATE
        in_window = self._limit is not None and abs(ends - self._ends) <= _SAME_WINDOW
        if in_window and reported.remaining > self._remaining:
            return  # an older response, overtaken by a newer one
        if (
            self._limit is not None
            and ends < self._ends - _SAME_WINDOW
            and number < self._reported_at
        ):
            return  # about a window that is over
        self._limit = max(reported.limit or self._limit or 0.0, reported.remaining, 1.0)
        self._remaining, self._reported_at = reported.remaining, number
        if not in_window or self._end_is_guessed:
            self._ends, self._end_is_guessed = ends, False

    def record_429(self, retry_after: float | None, now: float) -> None:
        """Record a 429, which may ask to wait `retry_after` seconds."""
        if retry_after is not None:
            until = now + min(retry_after, _LONGEST_WINDOW)
            self._blocked_until = max(self._blocked_until, until)
        # A single call has its own pause before the retry. Polls give way to it.
        polls_from = max(self._blocked_until, now + _PAUSE_AFTER_REFUSAL)
        self._next_poll = max(self._next_poll, polls_from)
        if self._limit is None:
            while self._moments and self._moments[0] < now - WINDOW:
                self._moments.popleft()
            # The last minute had too many requests, unless they were few: then others sent more.
            if len(self._moments) >= WINDOW:
                self._rate = 0.9 * len(self._moments) / WINDOW

    @property
    def is_known(self) -> bool:
        """Whether this server has ever shown a limit."""
        return self._limit is not None or self._rate is not None

    @property
    def _left(self) -> float:
        return self._remaining - (self._sent - self._reported_at)

    def _reserve(self, kind: int) -> float:
        limit = self._limit or 0.0
        reserve = min(limit - 1.0, max(1.0, limit // _RESERVE))
        return (0.0, reserve // 2, reserve)[kind]

    def _gap(self, now: float) -> float:
        if self._limit is None:
            return 1.0 / self._rate if self._rate else 0.0
        seconds = max(0.0, self._ends - now)
        usable = self._left - self._reserve(POLL)
        return seconds / usable if usable >= 1.0 else seconds

    def _begin_window(self, now: float) -> None:
        if self._limit is not None and now >= self._ends:
            # The last requests may already count in the new window.
            began = self._ends - _LATE
            late = sum(moment >= began for moment in self._moments)
            self._remaining, self._reported_at = self._limit, self._sent - late
            self._ends, self._end_is_guessed = now + WINDOW, True


class SharedRateLimit:
    """The rate limit of one key at one server. Its lock is held for arithmetic only."""

    def __init__(self) -> None:
        self._limit = RateLimit()
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Make a new lock."""
        self._lock = threading.Lock()

    def enter(self, kind: int, clock: Clock, deadline: Deadline | None = None) -> Flow[int | None]:
        """Sleep until a request of this kind may be sent.

        Return the request's number, or None if the deadline came first.
        """
        slot: float | None = None
        while True:
            now = clock.now()
            with self._lock:
                seconds = self._limit.hold(kind, now)
                # A single call does not wait for long: let the server refuse it.
                if kind != POLL and seconds > LONGEST_WAIT:
                    seconds = 0.0
                if seconds > 0:
                    slot = None
                elif kind == POLL:
                    slot = self._limit.slot(now) if slot is None else slot
                    seconds = slot - now
                if seconds <= 0:
                    return self._limit.send(now)
            if deadline is not None:
                seconds = deadline.left(seconds)
            yield Sleep(
                seconds, "the rate limit allows no more requests at the moment", rate_limited=True
            )
            if deadline is not None and deadline.passed:
                return None

    def record(self, headers: Mapping[str, str], number: int, clock: Clock) -> None:
        """Record what the response to the request with this number reports."""
        reported = quota(headers, clock.unix())
        if reported is not None:
            with self._lock:
                self._limit.record(reported, number, clock.now())

    def record_429(self, retry_after: float | None, clock: Clock) -> None:
        """Record a 429."""
        with self._lock:
            self._limit.record_429(retry_after, clock.now())

    @property
    def is_known(self) -> bool:
        return self._limit.is_known


_known: weakref.WeakValueDictionary[tuple[str, str], SharedRateLimit] = (
    weakref.WeakValueDictionary()
)
_known_lock = threading.Lock()


@call_in_child
def _renew() -> None:
    global _known_lock
    _known_lock = threading.Lock()


def shared(base_url: str, api_key: str) -> SharedRateLimit:
    """Return the rate limit of this key at this server."""
    with _known_lock:
        limit = _known.get((base_url, api_key))
        if limit is None:
            limit = _known[base_url, api_key] = SharedRateLimit()
        return limit
