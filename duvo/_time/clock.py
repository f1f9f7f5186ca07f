"""The clock, which tests replace by their own, and deadlines."""

from __future__ import annotations

import contextlib
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Return monotonic time in seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Return Unix time in seconds, for dates in headers."""
        return time.time()

    def sleep(self, seconds: float, closed: threading.Event | None = None) -> None:
        """Sleep, at most until `closed` is set."""
        if seconds <= 0:
            return
        if closed is None:
            time.sleep(seconds)
        else:
            closed.wait(seconds)

    async def sleep_async(self, seconds: float, closed: asyncio.Event | None = None) -> None:
        """Sleep in an event loop, at most until `closed` is set."""
        import asyncio

        from .._flow.asyncio_tasks import until

        if closed is None:
            await asyncio.sleep(max(0.0, seconds))
        elif seconds > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await until(closed.wait(), seconds=seconds)


class Deadline:
    """The moment by which something must be done: `timeout` seconds from now, or never for None."""

    def __init__(self, clock: Clock, timeout: float | None):
        self._clock = clock
        self.timeout = timeout
        self._at = None if timeout is None else clock.now() + timeout

    def left(self, at_most: float) -> float:
        """Return the seconds left, between 0 and `at_most`."""
        if self._at is None:
            return at_most
        return max(0.0, min(at_most, self._at - self._clock.now()))

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self._at is not None and self._clock.now() >= self._at
