"""The doorbell: wakes what waits for a run, so that nothing has to ask again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Bell:
    """Rings for one waiter; smaller than an `asyncio.Event`, since there are many thousands."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake the waiter, or let its next `wait` return at once."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Let the next `wait` wait for another ring."""
        self._rung = False

    def is_set(self) -> bool:
        """Whether it has rung since it was cleared."""
        return self._rung

    async def wait(self) -> None:
        """Return when it has rung."""
        if not self._rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class Notifier:
    """Wakes the waiters of a run; belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Bell]] = {}

    @contextlib.contextmanager
    def listening(self, run_id: str) -> Iterator[Bell]:
        """A bell that rings whenever the run changes.

        Listen first, then read, then wait: a change between is not missed.
        """
        bell = Bell()
        self._waiting.setdefault(run_id, set()).add(bell)
        try:
            yield bell
        finally:
            waiting = self._waiting[run_id]
            waiting.discard(bell)
            if not waiting:
                del self._waiting[run_id]

    def ring(self, run_id: str) -> None:
        """Wake everything that waits for the run."""
        for bell in self._waiting.get(run_id, ()):
            bell.set()

    def ring_all(self) -> None:
        """Wake everything, as when the engine closes."""
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()
