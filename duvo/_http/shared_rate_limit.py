"""One budget of requests for each key and server, shared by all threads of the process."""

from __future__ import annotations

import threading
import weakref

from .clock import pause
from .rate_limit import POLL, Budget, told_by
from .retries import LONGEST_WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clock import Clock, Deadline

_known: weakref.WeakValueDictionary[tuple[str, str], SharedBudget] = weakref.WeakValueDictionary()
_looking_up = threading.Lock()


def shared(base_url: str, api_key: str) -> SharedBudget:
    """The budget of that key at that server."""
    with _looking_up:
        budget = _known.get((base_url, api_key))
        if budget is None:
            budget = _known[base_url, api_key] = SharedBudget()
        return budget


class SharedBudget:
    """A budget that threads wait for. Its repr never shows the key."""

    def __init__(self) -> None:
        self._budget = Budget()
        self._changing = threading.Lock()

    def enter(
        self,
        kind: int,
        clock: Clock,
        deadline: Deadline | None = None,
        closed: threading.Event | None = None,
    ) -> int | None:
        """Wait until a request of this kind may be sent.

        Args:
            kind: `CHANGE`, `READ` or `POLL`.
            clock: what measures and sleeps.
            deadline: no wait goes beyond it.
            closed: when set, waiting ends.

        Returns:
            The request's number, or None when the deadline came first or it was closed.
        """
        slot: float | None = None
        while True:
            now = clock.now()
            with self._changing:
                seconds = self._budget.hold(kind, now)
                # A single call is not made to sleep for long: the server may tell it no.
                if kind != POLL and seconds > LONGEST_WAIT:
                    seconds = 0.0
                if seconds > 0:
                    slot = None
                elif kind == POLL:
                    slot = self._budget.slot(now) if slot is None else slot
                    seconds = slot - now
                if seconds <= 0:
                    return self._budget.send(now)
            if deadline is not None:
                seconds = deadline.left(seconds)
            pause(clock, seconds, "the rate limit leaves no more requests just now", closed)
            if (closed is not None and closed.is_set()) or (
                deadline is not None and deadline.passed
            ):
                return None

    def learn(self, headers: Mapping[str, str], number: int, clock: Clock) -> None:
        """Take in what the headers of the answer to that request tell."""
        told = told_by(headers, clock.unix())
        if told is not None:
            with self._changing:
                self._budget.learn(told, number, clock.now())

    def refuse(self, retry_after: float | None, clock: Clock) -> None:
        """Take in that the server refused a request as one too many."""
        with self._changing:
            self._budget.refuse(retry_after, clock.now())

    @property
    def is_limited(self) -> bool:
        """Whether this server has told of a limit."""
        return self._budget.is_limited
