"""The doorbell: wakes what waits for a run, so that nothing has to ask again and again."""

from __future__ import annotations

import asyncio


class Bell:
    """Rings for one waiter while the block lasts.

    There are many thousands of them: smaller than an `asyncio.Event`.
    """

    __slots__ = ("_notifier", "_run_id", "_rung", "_waiter")

    def __init__(self, notifier: Notifier, run_id: str):
        self._notifier = notifier
        self._run_id = run_id
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Bell:
        self._notifier.add(self._run_id, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._notifier.remove(self._run_id, self)

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
        self._waiting: dict[str, tuple[Bell, ...]] = {}

    def listening(self, run_id: str) -> Bell:
        """A bell that rings whenever the run changes, for use in a `with` block.

        Listen first, then read, then wait: a change between is not missed.
        """
        return Bell(self, run_id)

    def add(self, run_id: str, bell: Bell) -> None:
        """Ring this bell too from now on."""
        self._waiting[run_id] = (*self._waiting.get(run_id, ()), bell)

    def remove(self, run_id: str, bell: Bell) -> None:
        """Ring this bell no more."""
        left = tuple(one for one in self._waiting[run_id] if one is not bell)
        if left:
            self._waiting[run_id] = left
        else:
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
