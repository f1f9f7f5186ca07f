"""What comes back from work that others do, taken in by the one thread that waits for it."""

from __future__ import annotations

import queue
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future
    from typing import Any, TypeVar

    T = TypeVar("T")


class Inbox:
    """Gives out work, and brings back what came of it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(
        self,
        executor: Executor,
        take_in: Callable[[T, Future[Any]], None],
        about: T,
        work: Callable[..., Any],
        *arguments: Any,
    ) -> Future[Any]:
        """Have work done.

        Args:
            executor: does it.
            take_in: called by `take_in` below with `about` and the future, once it is done.
            about: what the work is about.
            work: what is called, with the arguments.
        """
        future = executor.submit(work, *arguments)
        future.add_done_callback(lambda done: self._queue.put(partial(take_in, about, done)))
        return future

    def wake(self) -> None:
        """End the waiting for something to come back; from any thread."""
        self._queue.put(None)

    def take_in(self, seconds: float | None) -> None:
        """Wait until something comes back, and take in all that is there.

        Args:
            seconds: to wait at most; None for as long as it takes.
        """
        wait = seconds != 0.0
        try:
            while True:
                take_in = self._queue.get(block=wait, timeout=seconds if wait else None)
                wait = False
                if take_in is not None:
                    take_in()
        except queue.Empty:
            pass
