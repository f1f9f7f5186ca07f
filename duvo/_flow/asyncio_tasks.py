"""Tasks of asyncio: waiting that can be ended, and calls in threads."""

from __future__ import annotations

import asyncio

from .steps import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


async def until(
    awaitable: Awaitable[T], closed: asyncio.Event | None = None, seconds: float | None = None
) -> T:
    """Await something, and cancel it when `closed` is set or time is up.

    Unlike `asyncio.wait_for` of older Pythons, it never swallows a cancellation.
    """
    if closed is None and seconds is None:
        return await awaitable
    task = in_task(awaitable)
    closing = None if closed is None else in_task(closed.wait())
    waited: set[asyncio.Future[Any]] = {task} if closing is None else {task, closing}
    try:
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if closing is not None and closing.done():
            raise Closed
        raise asyncio.TimeoutError
    finally:
        if closing is not None:
            closing.cancel()
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
