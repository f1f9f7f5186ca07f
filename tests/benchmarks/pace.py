"""Following without long poll: mean delay times requests a minute, beside fixed polling.

Simulated time: `python -m tests.benchmarks.pace` prints both traces' ratios.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from duvo._run.polling import next_pause

_irregular = random.Random(20260101)


def _bursts() -> Iterator[float]:
    now = 0.0
    for _ in range(300):
        for _ in range(20):
            yield now
            now += 0.5
        now += 119.5 + _irregular.uniform(-4.0, 4.0)


def _trickle() -> Iterator[float]:
    now = 0.0
    for _ in range(2000):
        now += _irregular.uniform(3.0, 7.0)
        yield now


# Irregular by a few seconds, so that no schedule can happen to fall in step with them.
BURSTS = tuple(_bursts())
"""20 messages half a second apart, then 120 seconds quiet; seconds of each message."""

TRICKLE = tuple(_trickle())
"""A message about every 5 seconds."""

FIXED = 5.0
"""Seconds between two reads of the fixed polling that the vendor advises for short runs."""

Schedule = Callable[[float, bool], float]


def cost(arrivals: Sequence[float], schedule: Schedule) -> float:
    """Mean delay in seconds times requests a minute."""
    now = wait = delay = 0.0
    given = requests = 0
    end = arrivals[-1] + 120.0
    while now < end:
        requests += 1
        ready = given
        while ready < len(arrivals) and arrivals[ready] <= now:
            delay += now - arrivals[ready]
            ready += 1
        wait = schedule(wait, ready > given)
        given = ready
        now += wait
    return (delay / given) * (requests / (end / 60.0))


def ours(wait: float, activity: bool) -> float:
    return next_pause(wait, activity=activity)


def fixed(wait: float, activity: bool) -> float:
    return FIXED


def compare(arrivals: Sequence[float]) -> float:
    """Our cost beside that of fixed polling."""
    return cost(arrivals, ours) / cost(arrivals, fixed)


if __name__ == "__main__":
    print(f"bursts   {compare(BURSTS):.2f} of fixed polling (target 0.65)")
    print(f"trickle  {compare(TRICKLE):.2f} of fixed polling (target 1.5)")
