"""Following without long polling, beside polling at a fixed interval.

`python -m tests.benchmarks.pace`, in simulated time. The cost of a schedule is
the mean delay of messages times the requests a minute.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from duvo._run.polling import next_pause
from tests.benchmarks.figures import show

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


# Irregular by a few seconds, so that no schedule falls in step with them by accident.
BURSTS = tuple(_bursts())
"""20 messages half a second apart, then 120 seconds quiet; seconds of each message."""

TRICKLE = tuple(_trickle())
"""A message about every 5 seconds."""

FIXED = 5.0
"""Seconds between two reads of the fixed polling that the vendor advises for short runs."""

Schedule = Callable[[float, bool], float]
"""Gets the last pause, and whether the read after it brought anything; returns the next pause."""


def cost(arrivals: Sequence[float], schedule: Schedule) -> float:
    """Return the mean delay in seconds times the requests a minute."""
    now = pause = delay = 0.0
    delivered = requests = 0
    end = arrivals[-1] + 120.0
    while now < end:
        requests += 1
        ready = delivered
        while ready < len(arrivals) and arrivals[ready] <= now:
            delay += now - arrivals[ready]
            ready += 1
        pause = schedule(pause, ready > delivered)
        delivered = ready
        now += pause
    return (delay / delivered) * (requests / (end / 60.0))


def ours(pause: float, activity: bool) -> float:
    """Return the library's next pause."""
    return next_pause(pause, activity=activity)


def fixed(pause: float, activity: bool) -> float:
    """Return the same pause every time."""
    return FIXED


def compare(arrivals: Sequence[float]) -> float:
    """Return our cost divided by that of fixed polling."""
    return cost(arrivals, ours) / cost(arrivals, fixed)


if __name__ == "__main__":
    show("bursts, beside fixed polling", f"{compare(BURSTS):.2f}", "0.65")
    show("a trickle, beside fixed polling", f"{compare(TRICKLE):.2f}", "1.5")
