"""The faults of each request, chosen by a seed. Pure."""

from __future__ import annotations

import random
import threading
from enum import Enum

MOST_FAULTS = 9


class Fault(Enum):
    """What happens to a request or its response."""

    PASS = "passed"
    # The request never arrives.
    LOST = "lost on its way"
    REFUSED = "passed, and the next connection refused"
    RESET = "passed, and the next connection reset before it is read"
    TOO_MANY = "answered 429"
    OVERLOADED = "answered 503 with Retry-After"
    # The request may have arrived: both happen.
    BROKEN = "answered 500, 502, 503 or 504"
    HTML = "answered with a page of HTML"
    NO_ANSWER = "not answered until the client gives up"
    DROPPED = "carried out, and the connection dropped"
    CUT = "carried out, and the answer cut"
    STALLED = "carried out, and the answer stops in the middle"
    # The response is complete, but to another request.
    OTHER_PAGE = "answered with the page at another offset"
    SHIFTED = "answered with items that have moved"
    REPEATED = "answered with items that come twice"
    # The response is right.
    HUNG_UP = "answered, and the kept connection closed"

    @property
    def leaves_unknown(self) -> bool:
        """Whether the client cannot know that the request was not carried out."""
        return self in _LEAVE_UNKNOWN


_LEAVE_UNKNOWN = (
    Fault.LOST,
    Fault.BROKEN,
    Fault.HTML,
    Fault.NO_ANSWER,
    Fault.DROPPED,
    Fault.CUT,
    Fault.STALLED,
    # Of the next request, which may have been sent when the connection ends.
    Fault.RESET,
    Fault.HUNG_UP,
)
_OF_ANY = (
    Fault.LOST,
    Fault.REFUSED,
    Fault.RESET,
    Fault.TOO_MANY,
    Fault.OVERLOADED,
    Fault.BROKEN,
    Fault.HTML,
    Fault.DROPPED,
    Fault.CUT,
    Fault.HUNG_UP,
)
_SLOW = (Fault.NO_ANSWER, Fault.STALLED)
_SHIFTING = (Fault.SHIFTED, Fault.REPEATED)


class Link:
    """The kind of server that a seed simulates.

    Attributes:
        honours_keys: it honours idempotency keys, and says so.
        holds: it offers long polling, which implies that pages never shift.
        slow: requests may get no response; the client has a short timeout.
        page: maximum number of items per page.
        talks: interim responses come before each response, whose head comes in pieces.
    """

    def __init__(self, seed: int):
        chance = random.Random(f"{seed} link")
        self.honours_keys = seed % 3 > 0
        self.slow = seed % 5 == 4
        # A held request is silent for longer than a short timeout.
        self.holds = seed % 3 == 1 and not self.slow
        self.page = chance.choice((2, 7, 50, 50))
        self.talks = seed % 4 == 3

    def __str__(self) -> str:
        words = [
            "honours keys" if self.honours_keys else "no keys",
            "holds requests" if self.holds else "no holding",
            f"pages of {self.page}",
        ]
        return ", ".join(words + ["slow"] * self.slow + ["interim responses"] * self.talks)


class Schedule:
    """The faults of a seed, for each kind of call. Each has an end, after which calls pass.

    Args:
        seed: chooses everything.
        link: the kind of server.
        may_shift: pages of a conversation may shift, where the server does not
            promise the contrary.

    Attributes:
        refusals: number of sleeps of the client before the first connection is
            accepted.
    """

    def __init__(self, seed: int, link: Link, may_shift: bool):
        self._seed = seed
        self._link = link
        self._lock = threading.Lock()
        self._count: dict[str, int] = {}
        chance = random.Random(f"{seed} schedule")
        self._share = chance.choice((0.2, 0.5, 0.8, 1.0))
        self.refusals = chance.choice((0, 0, 0, 1, 2))
        self._left: dict[str, int] = {}
        self._shifts_left = 3 if may_shift and not link.holds else 0

    def next(self, kind: str, *, pages: bool, begins: bool) -> tuple[Fault, random.Random]:
        """Return the fault of the next call of a kind, and the random numbers for its details.

        Args:
            kind: the kind of call.
            pages: whether the response is a page of a conversation.
            begins: whether it is the first page.
        """
        with self._lock:
            number = self._count[kind] = self._count.get(kind, 0) + 1
            chance = random.Random(f"{self._seed} {kind} {number}")
            if kind not in self._left:
                self._left[kind] = chance.randint(0, MOST_FAULTS)
            if not self._left[kind] or chance.random() > self._share:
                return Fault.PASS, chance
            self._left[kind] -= 1
            fault = chance.choice(self._possible(pages, begins))
            if fault in _SHIFTING:
                self._shifts_left -= 1
            return fault, chance

    def _possible(self, pages: bool, begins: bool) -> list[Fault]:
        faults = [*_OF_ANY, *(_SLOW if self._link.slow else ())]
        if pages:
            faults.append(Fault.OTHER_PAGE)
            # A client without messages cannot notice that a page starts elsewhere.
            if self._shifts_left:
                faults += (Fault.REPEATED,) if begins else _SHIFTING
        return faults
