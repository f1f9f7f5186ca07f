"""Clocks that tests put in place of the machine's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from duvo._time.clock import Clock


class StoppedClock(Clock):
    """Time passes only while a thread sleeps; `sleeps` records how long.

    Args:
        on_sleep: called after each sleep with the new time.
    """

    def __init__(self, on_sleep: Callable[[float], object] = lambda now: None):
        self.time = 1000.0
        self.sleeps: list[float] = []
        self.on_sleep = on_sleep

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return 1_800_000_000.0 + self.time

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        if seconds > 0:
            self.time += seconds
            self.sleeps.append(seconds)
            self.on_sleep(self.time)

    async def sleep_async(self, seconds: float, closed: asyncio.Event | None = None) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


class FastClock(Clock):
    """Real time, but a sleep takes at most a hundredth of its seconds.

    Args:
        on_sleep: called after each sleep.
    """

    def __init__(self, on_sleep: Callable[[], object] = lambda: None):
        self.skipped = 0.0
        self.on_sleep = on_sleep
        self._lock = threading.Lock()

    def now(self) -> float:
        return super().now() + self.skipped

    def unix(self) -> float:
        return super().unix() + self.skipped

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        if seconds > 0:
            short = min(seconds / 100, 0.005)
            super().sleep(short, closed)
            self.skip(seconds - short)
            self.on_sleep()

    async def sleep_async(self, seconds: float, closed: asyncio.Event | None = None) -> None:
        short = min(seconds / 100, 0.005)
        await super().sleep_async(short, closed)
        if seconds > 0:
            self.skip(seconds - short)
            self.on_sleep()

    def skip(self, seconds: float) -> None:
        """Let time pass that nothing has slept."""
        with self._lock:
            self.skipped += seconds


class LongPauses(Clock):
    """Real time, but a sleep lasts a minute or more unless something ends it.

    Attributes:
        is_asleep: set by a sleep that has begun.
    """

    def __init__(self) -> None:
        self.is_asleep = threading.Event()

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        self.is_asleep.set()
        super().sleep(max(seconds, 60.0), closed)

    async def sleep_async(self, seconds: float, closed: asyncio.Event | None = None) -> None:
        self.is_asleep.set()
        await super().sleep_async(max(seconds, 60.0), closed)


class SharedClock(Clock):
    """One clock for several threads: time passes only while all of them sleep.

    Args:
        threads: how many there are; each calls `leave` at its end.
    """

    def __init__(self, threads: int):
        self._awake = threads
        self._time = 1000.0
        self._alarms: list[float] = []
        self._changed = threading.Condition()

    def now(self) -> float:
        return self._time

    def unix(self) -> float:
        return 1_800_000_000.0 + self._time

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        if seconds <= 0:
            return
        with self._changed:
            alarm = self._time + seconds
            self._alarms.append(alarm)
            self._fall_asleep()
            self._changed.wait_for(lambda: alarm <= self._time)

    def leave(self) -> None:
        """Stop waiting for the calling thread."""
        with self._changed:
            self._fall_asleep()

    def _fall_asleep(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._alarms:
            self._time = min(self._alarms)
            self._awake = sum(alarm <= self._time for alarm in self._alarms)
            self._alarms = [alarm for alarm in self._alarms if alarm > self._time]
            self._changed.notify_all()
