"""The budget of requests, in any order of what clients send and a server with a limit tells."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from duvo._http.rate_limit import CHANGE, POLL, READ, WINDOW, Quota, RateLimit, quota

pytestmark = pytest.mark.seeds

KINDS = (CHANGE, READ, POLL)
SOON = st.sampled_from((0.0, 0.01, 0.3, 1.0, 2.0, 10.0, 59.0, 61.0))
LONGEST_ASKED = 90.0


class Limit:
    """A server that takes so many requests in a window, and tells of it in headers."""

    def __init__(self, limit: int, began: float, skew: float, unix: bool):
        self.limit = limit
        self.skew = skew
        self.unix = unix
        self.ends = began + WINDOW
        self.count = 0

    def roll(self, now: float) -> None:
        while now >= self.ends:
            self.ends += WINDOW
            self.count = 0

    def take(self, now: float) -> bool:
        self.roll(now)
        self.count += 1
        return self.count <= self.limit

    def told(self, now: float, here: float) -> Quota | None:
        """What an answer of this moment tells, by the names that servers use."""
        headers = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(max(0, self.limit - self.count)),
        }
        there = now + self.skew
        if self.unix:
            from email.utils import formatdate

            headers["ratelimit-reset"] = str(math.floor(self.ends + self.skew))
            headers["date"] = formatdate(there, usegmt=True)
        else:
            headers["ratelimit-reset"] = str(math.floor(self.ends - now))
        return quota(headers, here)


class Budgets(RuleBasedStateMachine):
    """One budget, through which everything goes that is sent to one server."""

    @initialize(
        limit=st.sampled_from((1, 2, 5, 30, 300)),
        into=st.sampled_from((0.0, 20.0, 59.5)),
        skew=st.sampled_from((0.0, -300.0, 7200.0)),
        unix=st.booleans(),
    )
    def begin(self, limit: int, into: float, skew: float, unix: bool) -> None:
        self.now = 1_800_000_000.25
        self.budget = RateLimit()
        self.server = Limit(limit, self.now - into, skew, unix)
        # Answers that are on their way: the request's number, and what it tells.
        self.coming: list[tuple[int, Quota | None]] = []
        self.refusal_until = 0.0

        self.is_told = False

    @rule(seconds=SOON)
    def time_passes(self, seconds: float) -> None:
        # An answer is on its way for a second at most.
        if seconds > 0.5:
            while self.coming:
                self.an_answer_comes(0)
        self.now += seconds

    @rule(kind=st.sampled_from(KINDS), count=st.sampled_from((1, 1, 3, 40)))
    def requests_are_sent(self, kind: int, count: int) -> None:
        for _ in range(count):
            # Who knows nothing yet waits for the first answer.
            if not self.is_told and self.coming:
                self.an_answer_comes(0)
            if self.budget.hold(kind, self.now) > 0:
                return
            number = self.budget.send(self.now)
            assert self.server.take(self.now), (
                f"request {self.server.count} of {self.server.limit} was let through"
            )
            self.coming.append((number, self.server.told(self.now, self.now)))

    @precondition(lambda self: self.coming)
    @rule(place=st.integers(0, 50))
    def an_answer_comes(self, place: int) -> None:
        number, told = self.coming.pop(place % len(self.coming))
        if told is not None:
            self.budget.record(told, number, self.now)
            self.is_told = True

    @rule(seconds=st.sampled_from((None, 0.0, 1.0, 20.0, LONGEST_ASKED)))
    def the_server_refuses_one_all_the_same(self, seconds: float | None) -> None:
        self.budget.record_429(seconds, self.now)

    @invariant()
    def what_is_urgent_never_waits_while_the_rest_goes(self) -> None:
        if hasattr(self, "budget"):
            change, read, poll = (self.budget.hold(kind, self.now) for kind in KINDS)
            assert change <= read <= poll

    @rule(kind=st.sampled_from(KINDS), others=st.sampled_from((0, 50)))
    def nobody_waits_for_ever(self, kind: int, others: int) -> None:
        """Whoever comes now, even behind many that poll, is let through in the end."""
        began = self.now
        for _ in range(others):
            self.budget.slot(self.now)
        slot: float | None = None
        while True:
            assert self.now - began <= LONGEST_ASKED + 2 * WINDOW + 10, "it waits and waits"
            seconds = self.budget.hold(kind, self.now)
            if seconds > 0:
                slot = None
            elif kind == POLL:
                slot = self.budget.slot(self.now) if slot is None else slot
                seconds = slot - self.now
            if seconds <= 0:
                break
            self.time_passes(seconds)
        self.requests_are_sent(kind, 1)


TestBudgets = Budgets.TestCase
