"""Tasks of asyncio: waiting that can be ended, and calls in threads."""

from __future__ import annotations

import asyncio

from .steps import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


class Closing(asyncio.Event):
    """An event that is set when an iterator is closed, and ends what it is waiting for.

    Attributes:
        ends: the tasks that are cancelled when the event is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ends: set[asyncio.Future[Any]] = set()

    def set(self) -> None:
        """Set the event, and cancel the tasks."""
        super().set()
        for task in tuple(self.ends):
            task.cancel()


async def until(
    awaitable: Awaitable[T], closed: Closing | None = None, seconds: float | None = None
) -> T:
    """Await something, and cancel it when `closed` is set or time is up.

    Unlike `asyncio.wait_for` of older Pythons, it never swallows a cancellation.
    """
    if closed is None and seconds is None:
        return await awaitable
    task = in_task(awaitable)
    if closed is not None:
        closed.ends.add(task)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        if closed is not None and closed.is_set() and has_failed(task):
            raise Closed
        return task.result()
    finally:
        if closed is not None:
            closed.ends.discard(task)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def in_thread(function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """Call a function in a thread; see `in_task`."""
    return in_task(asyncio.to_thread(function, *arguments))


def in_task(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    """Await something in a task. Its error is not reported when nobody waits for it."""
    task = asyncio.ensure_future(awaitable)
    task.add_done_callback(_mark_retrieved)
    return task


def has_failed(task: asyncio.Future[Any]) -> bool:
    """Whether a task ended without a result."""
    return task.done() and (task.cancelled() or task.exception() is not None)


def _mark_retrieved(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
