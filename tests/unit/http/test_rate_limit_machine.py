"""The client-side rate limit against a server with a limit, in any order of events."""

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
    """A server that accepts a number of requests in each window, and reports it in headers."""

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

    def reported(self, now: float, here: float) -> Quota | None:
        """Return what the headers of a response at this moment report."""
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
    """One rate limit for all requests to one server."""

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
        # Responses in transit: the request's number, and the reported quota.
        self.in_transit: list[tuple[int, Quota | None]] = []
        self.refusal_until = 0.0

        self.is_known = False

    @rule(seconds=SOON)
    def time_passes(self, seconds: float) -> None:
        # A response is in transit for a second at most.
        if seconds > 0.5:
            while self.in_transit:
                self.a_response_arrives(0)
        self.now += seconds

    @rule(kind=st.sampled_from(KINDS), count=st.sampled_from((1, 1, 3, 40)))
    def requests_are_sent(self, kind: int, count: int) -> None:
        for _ in range(count):
            # While no limit is known, requests wait for the first response.
            if not self.is_known and self.in_transit:
                self.a_response_arrives(0)
            if self.budget.hold(kind, self.now) > 0:
                return
            number = self.budget.send(self.now)
            assert self.server.take(self.now), (
                f"request {self.server.count} of {self.server.limit} was let through"
            )
            self.in_transit.append((number, self.server.reported(self.now, self.now)))

    @precondition(lambda self: self.in_transit)
    @rule(place=st.integers(0, 50))
    def a_response_arrives(self, place: int) -> None:
        number, reported = self.in_transit.pop(place % len(self.in_transit))
        if reported is not None:
            self.budget.record(reported, number, self.now)
            self.is_known = True

    @rule(seconds=st.sampled_from((None, 0.0, 1.0, 20.0, LONGEST_ASKED)))
    def the_server_refuses_a_request(self, seconds: float | None) -> None:
        self.budget.record_429(seconds, self.now)

    @invariant()
    def changes_never_wait_while_polls_may_be_sent(self) -> None:
        if hasattr(self, "budget"):
            change, read, poll = (self.budget.hold(kind, self.now) for kind in KINDS)
            assert change <= read <= poll

    @rule(kind=st.sampled_from(KINDS), others=st.sampled_from((0, 50)))
    def every_request_is_let_through(self, kind: int, others: int) -> None:
        """Every request is let through in the end, even behind many polls."""
        began = self.now
        for _ in range(others):
            self.budget.slot(self.now)
        slot: float | None = None
        while True:
            assert self.now - began <= LONGEST_ASKED + 2 * WINDOW + 10, (
                "the request waits without end"
            )
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
