"""Alarms go by the wall clock, which may be set, and which continues while a machine sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from duvo.local._execution.alarms import Alarms


class WallClock:
    """The time of day, which tests set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """The clock that `time.time` reads."""
    clock = WallClock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def run(test: Callable[[Alarms], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Alarms())

    asyncio.run(main())


def test_sleepers_wake_in_their_order_when_the_clock_is_set_forward(clock: WallClock) -> None:
    async def test(alarms: Alarms) -> None:
        woken: list[int] = []

        async def sleep(seconds: int) -> None:
            await alarms.sleep_until(clock.now + seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleep(seconds)) for seconds in (900, 600, 7200)]
        await asyncio.sleep(0)
        clock.now += 3600
        await asyncio.wait_for(asyncio.gather(*tasks[:2]), 30)
        assert woken == [600, 900]
        assert not tasks[2].done()
        tasks[2].cancel()

    run(test)


def test_a_sleep_lasts_longer_when_the_clock_is_set_back(clock: WallClock) -> None:
    async def test(alarms: Alarms) -> None:
        start = clock.now
        sleep = asyncio.create_task(alarms.sleep_until(start + 0.01))
        await asyncio.sleep(0)
        clock.now = start - 3600
        # Looked at once more, by the later one.
        later = asyncio.create_task(alarms.sleep_until(start - 3600))
        await asyncio.wait_for(later, 30)
        assert not sleep.done()
        clock.now = start + 0.01
        await asyncio.wait_for(sleep, 30)

    run(test)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_moment_that_has_passed_is_not_waited_for(seconds: float, clock: WallClock) -> None:
    async def test(alarms: Alarms) -> None:
        await asyncio.wait_for(alarms.sleep_until(clock.now + seconds), 30)

    run(test)


def test_cancelled_sleeps_are_forgotten_and_the_others_wake(clock: WallClock) -> None:
    async def test(alarms: Alarms) -> None:
        moments = [clock.now + seconds for seconds in range(1, 101)]
        sleeps = [asyncio.create_task(alarms.sleep_until(moment)) for moment in moments]
        endless = asyncio.create_task(alarms.sleep_until(float("inf")))
        await asyncio.sleep(0)
        for sleep in sleeps[:90]:
            sleep.cancel()
        await asyncio.gather(*sleeps[:90], return_exceptions=True)
        clock.now += 95
        await asyncio.wait_for(asyncio.gather(*sleeps[90:95]), 30)
        assert len(alarms._sleeping) == 6
        assert not endless.done()
        endless.cancel()

    run(test)
