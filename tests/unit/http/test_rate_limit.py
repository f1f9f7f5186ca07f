"""The client-side rate limit: how many requests may be sent, and which first."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import duvo
from duvo._flow.drivers import run
from duvo._http.rate_limit import (
    CHANGE,
    POLL,
    READ,
    Quota,
    RateLimit,
    SharedRateLimit,
    quota,
    shared,
)
from duvo._time.clock import Clock
from tests.servers.fake_api import KEY, TEAM, FakeAPI, ReceivedRequest
from tests.support.clocks import SharedClock, StoppedClock


def sending(budget: RateLimit, kind: int, now: float) -> bool:
    if budget.hold(kind, now) > 0:
        return False
    budget.send(now)
    return True


def test_nothing_is_delayed_while_no_limit_is_known() -> None:
    budget = RateLimit()
    assert all(sending(budget, kind, 0.0) for kind in (POLL, READ, CHANGE) for _ in range(1000))
    assert budget.slot(5.0) == budget.slot(5.0) == 5.0


def test_polls_are_spread_over_the_rest_of_the_window() -> None:
    budget = RateLimit()
    budget.record(Quota(300, 215, 59), budget.send(100.0), 100.0)
    slots = [budget.slot(100.0) for _ in range(3)]
    # 200 polls are left for 60 seconds: 15 requests are kept for reads and changes.
    assert slots == pytest.approx([100.0, 100.3, 100.6], abs=0.01)


def test_changes_go_ahead_of_reads_and_reads_ahead_of_polls() -> None:
    budget = RateLimit()
    budget.record(Quota(100, 5, 59), budget.send(0.0), 0.0)
    assert [budget.hold(kind, 0.0) for kind in (POLL, READ, CHANGE)] == [60.0, 0.0, 0.0]
    budget.record(Quota(100, 2, 59), budget.send(0.0), 0.0)
    assert [budget.hold(kind, 0.0) for kind in (POLL, READ, CHANGE)] == [60.0, 60.0, 0.0]
    budget.record(Quota(100, 0, 59), budget.send(0.0), 0.0)
    assert [budget.hold(kind, 0.0) for kind in (POLL, READ, CHANGE)] == [60.0, 60.0, 60.0]
    assert budget.hold(CHANGE, 60.0) == 0.0


def test_requests_sent_since_the_last_response_are_counted() -> None:
    budget = RateLimit()
    budget.record(Quota(10, 3, 30), budget.send(0.0), 0.0)
    assert [sending(budget, CHANGE, 1.0) for _ in range(4)] == [True, True, True, False]


def test_a_response_that_arrives_out_of_order_changes_nothing() -> None:
    budget = RateLimit()
    first, second = budget.send(0.0), budget.send(0.0)
    budget.record(Quota(10, 1, 30), second, 0.2)
    budget.record(Quota(10, 9, 30), first, 0.3)
    assert [sending(budget, CHANGE, 1.0) for _ in range(2)] == [True, False]


def test_a_new_window_begins_with_all_of_the_limit() -> None:
    budget = RateLimit()
    budget.record(Quota(4, 0, 10), budget.send(0.0), 0.0)
    assert budget.hold(READ, 10.9) == pytest.approx(0.1)
    assert [sending(budget, CHANGE, 11.0) for _ in range(5)] == [True] * 4 + [False]


def test_requests_at_the_end_of_a_window_also_count_in_the_next() -> None:
    budget = RateLimit()
    budget.record(Quota(5, 4, 9.5), budget.send(0.0), 0.0)
    # The server reports times in whole seconds, so its next window has begun.
    assert [sending(budget, CHANGE, 10.0) for _ in range(3)] == [True] * 3
    assert [sending(budget, CHANGE, 10.5) for _ in range(3)] == [True, True, False]


def test_a_reported_end_of_a_window_replaces_an_estimated_one() -> None:
    budget = RateLimit()
    budget.record(Quota(1, 0, 10), budget.send(0.0), 0.0)
    assert budget.hold(CHANGE, 20.0) == 0.0
    budget.record(Quota(1, 0, 59), budget.send(21.0), 21.0)
    assert budget.hold(CHANGE, 80.5) == pytest.approx(0.5)


def test_a_429_delays_all_requests_for_its_retry_after() -> None:
    budget = RateLimit()
    budget.record_429(7.0, 100.0)
    assert [budget.hold(kind, 100.0) for kind in (POLL, READ, CHANGE)] == [7.0, 7.0, 7.0]
    assert budget.hold(CHANGE, 107.0) == 0.0


def test_a_429_without_headers_gives_an_estimate_of_the_limit() -> None:
    budget = RateLimit()
    for number in range(300):
        budget.send(number * 0.1)
    budget.record_429(None, 30.0)
    assert budget.is_known
    first, second = budget.slot(40.0), budget.slot(40.0)
    assert second - first == pytest.approx(60 / 270)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {
                "x-ratelimit-limit": "300",
                "x-ratelimit-remaining": "7",
                "x-ratelimit-reset": "1800000042",
                "date": "Fri, 15 Jan 2027 08:00:02 GMT",
            },
            (300.0, 7.0, 40.0),
        ),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1800000042"}, (None, 7.0, 37.0)),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "42"}, (None, 7.0, 42.0)),
        ({"x-ratelimit-remaining": "7"}, None),
        ({"x-ratelimit-remaining": "nan", "x-ratelimit-reset": "5"}, None),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "9e12"}, None),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_rate_limit_headers_are_read_by_the_servers_clock(
    headers: dict[str, str], expected: tuple[float | None, float, float] | None
) -> None:
    found = quota(headers, 1_800_000_005.0)
    assert (found and (found.limit, found.remaining, found.seconds)) == expected


class Limiter:
    """Lets a number of requests pass in each window, and reports it in headers."""

    def __init__(self, limit: int, seconds: int, clock: Clock):
        self.limit, self.seconds, self.clock = limit, seconds, clock
        self.refused = 0
        self.order: list[str] = []
        self._ends, self._count = 0.0, 0
        self._lock = threading.Lock()

    def __call__(self, seen: ReceivedRequest) -> Any:
        with self._lock:
            now = self.clock.now()
            if now >= self._ends:
                self._ends, self._count = now + self.seconds, 0
            self._count += 1
            self.order.append(seen.method)
            if self._count > self.limit:
                self.refused += 1
                return 429, {"error": "slow_down"}, {"retry-after": str(self.seconds)}
            return None


def limited(fake_api: FakeAPI, limit: int, seconds: int, clock: Clock) -> Limiter:
    limiter = Limiter(limit, seconds, clock)

    def respond(seen: ReceivedRequest) -> Any:
        status, body = fake_api.answer(seen)
        with limiter._lock:
            return (
                status,
                body,
                {
                    "ratelimit-limit": str(limit),
                    "ratelimit-remaining": str(max(0, limit - limiter._count)),
                    "ratelimit-reset": str(max(0, round(limiter._ends - clock.now()))),
                },
            )

    fake_api.before = lambda seen: limiter(seen) or respond(seen)
    return limiter


def test_fifty_followers_in_fifty_threads_stay_under_the_limit(fake_api: FakeAPI) -> None:
    clock = SharedClock(50)
    limiter = limited(fake_api, 100, 1, clock)
    runs = [fake_api.start() for _ in range(50)]
    heard: dict[str, list[str]] = {}
    errors: list[BaseException] = []

    def follow(run_id: str) -> None:
        # A client for each follower; they share the key and the process.
        with duvo.Client(KEY, fake_api.base_url, TEAM) as client:
            client._driver.api.clock = clock
            try:
                messages = client.runs.run(run_id).messages(follow=True, timeout=60)
                heard[run_id] = [one.content for one in messages]
            except BaseException as error:
                errors.append(error)
            finally:
                clock.leave()

    threads = [threading.Thread(target=follow, args=(run_id,)) for run_id in runs]
    with duvo.Client(KEY, fake_api.base_url, TEAM) as client:
        client._driver.api.clock = clock
        # The first response makes the limit known.
        client.runs.get(runs[0])
        for thread in threads:
            thread.start()
        for run_id in runs:
            fake_api.say(run_id, "working")
            fake_api.end(run_id)
        for thread in threads:
            thread.join(60)
    assert errors == []
    assert limiter.refused == 0
    assert heard == {run_id: ["working"] for run_id in runs}


def test_a_start_goes_ahead_of_polls_that_wait(fake_api: FakeAPI) -> None:
    # This thread is one of those that share the clock.
    clock = SharedClock(21)
    limiter = limited(fake_api, 20, 60, clock)
    runs = [fake_api.start() for _ in range(20)]
    with duvo.Client(KEY, fake_api.base_url, TEAM) as client:
        client._driver.api.clock = clock

        def follow(run_id: str) -> None:
            try:
                list(client.runs.run(run_id).messages(follow=True))
            finally:
                clock.leave()

        client.runs.get(runs[0])
        threads = [threading.Thread(target=follow, args=(run_id,)) for run_id in runs]
        for thread in threads:
            thread.start()
        while len(limiter.order) < 12:
            clock.sleep(0.1)
        before = len(limiter.order)
        client.runs.start(fake_api.agents[0]["id"], "now")
        at = limiter.order.index("POST")
        for run_id in runs:
            fake_api.end(run_id)
        clock.leave()
        for thread in threads:
            thread.join(60)
    # Time stands still while this thread is awake: only polls that were due at the same
    # moment may arrive before the start.
    assert at - before <= 2
    assert limiter.refused == 0


def test_a_poll_that_waits_for_the_rate_limit_ends_at_its_deadline(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.headers.update(
        {"ratelimit-limit": "300", "ratelimit-remaining": "0", "ratelimit-reset": "50"}
    )
    with pytest.raises(duvo.WaitTimeout):
        client.runs.run(run_id).wait(timeout=20)
    assert clock.time == pytest.approx(1020.0)


def test_a_long_wait_for_the_rate_limit_is_logged(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "duvo")
    run_id = fake_api.start()
    fake_api.headers.update(
        {"ratelimit-limit": "300", "ratelimit-remaining": "0", "ratelimit-reset": "50"}
    )
    client.runs.get(run_id)
    client.runs.get(run_id)
    assert clock.sleeps == [51.0]
    assert any("rate limit" in one.getMessage() for one in caplog.records)


def test_clients_of_the_same_key_and_server_share_a_rate_limit() -> None:
    first = shared("http://one", "key")
    assert shared("http://one", "key") is first
    assert shared("http://two", "key") is not first
    assert shared("http://one", "other") is not first
    assert "key" not in repr(first)


def test_a_change_does_not_wait_as_long_for_the_rate_limit_as_a_poll() -> None:
    budget = shared("http://patience", "key")
    clock = StoppedClock()
    budget.record_429(90.0, clock)
    assert slept(budget, CHANGE, clock) == []
    assert slept(budget, POLL, clock) == [90.0]


def slept(limit: SharedRateLimit, kind: int, clock: StoppedClock) -> list[float]:
    """Return the sleeps before a request of that kind may be sent."""
    sleeps: list[float] = []

    def perform(step: Any) -> None:
        sleeps.append(step.seconds)
        clock.sleep(step.seconds)

    assert run(limit.enter(kind, clock), perform) is not None
    return sleeps


def test_closing_an_iterator_ends_its_wait_for_the_rate_limit(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    messages = client.runs.run(fake_api.start()).messages(follow=True)
    client._driver.api.rate_limit.record_429(300.0, Clock())
    ended = threading.Event()

    def follow() -> None:
        assert list(messages) == []
        ended.set()

    threading.Thread(target=follow).start()
    messages.close()
    assert ended.wait(30)
