"""Sleeps that end at a moment of the wall clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math

from .._clock import clock

_INTERVAL = 0.5
"""Maximum seconds between two looks at the clock."""


class Alarms:
    """Wakes tasks at moments of the wall clock; belongs to the running event loop.

    The loop's timers stop while the machine sleeps, and do not notice when the
    clock is set. One timer looks at the clock for all.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    async def sleep_until(self, moment: float) -> None:
        """Return at that moment, in seconds since the epoch, or within a second after it."""
        woken: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._sleeping, (moment, next(self._numbers), woken))
        if self._sleeping[0][2] is woken:
            self.look()
        try:
            await woken
        except asyncio.CancelledError:
            self._cancelled += 1
            raise

    @property
    def next_moment(self) -> float:
        """When the first sleeper wakes; infinity if there is none."""
        return min((sleep[0] for sleep in self._sleeping if not sleep[2].done()), default=math.inf)

    def look(self) -> None:
        """Wake the sleepers that are due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if 2 * self._cancelled > len(self._sleeping):
            self._sleeping = [sleep for sleep in self._sleeping if not sleep[2].done()]
            heapq.heapify(self._sleeping)
            self._cancelled = 0
        now = clock.now()
        while self._sleeping and self._sleeping[0][0] <= now:
            woken = heapq.heappop(self._sleeping)[2]
            if not woken.done():
                woken.set_result(None)
        if self._sleeping:
            seconds = min(self._sleeping[0][0] - now, _INTERVAL)
            self._timer = self._loop.call_later(seconds, self.look)
