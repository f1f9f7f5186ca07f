"""Driving a flow for the items that it gives: iterators that can be closed."""

from __future__ import annotations

import threading
from typing import Any, Generic, TypeVar

from .drivers import Drive
from .steps import Block, Closed, Give, Send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from .steps import Flow, Step

T = TypeVar("T")


class _Items(Generic[T]):
    """A flow, and the items that it gave last."""

    def __init__(self, flow: Flow[Any]):
        self._flow = flow
        self._drive: Drive[Any] | None = None
        self._given: Give | None = None
        self._items: Iterator[T] = iter(())
        self._is_finished = False
        self._is_resumable = True
        """Whether iterating can continue after an exception from outside."""

    def _next_step(self) -> Step | None:
        """Return the next step to perform, or None when there are new items.

        Raises:
            Closed: the flow has ended.
            BaseException: what ended the flow, again.
        """
        drive = self._drive
        if drive is None:
            drive = self._drive = Drive(self._flow)
        if drive.error is not None:
            raise drive.error
        if drive.step is not None and drive.step is self._given:
            drive.resume(None)
        step = drive.step
        if step is None:
            raise Closed
        if type(step) is not Give:
            return step
        self._given, self._items = step, iter(step.items)
        return None

    def _succeed(self, result: object) -> None:
        assert self._drive is not None
        self._drive.resume(result)

    def _fail(self, step: Step, error: BaseException) -> None:
        assert self._drive is not None
        if isinstance(error, step.enters):
            self._drive.fail(error)
            return
        if type(step) is Send:
            step.interrupted = True
        # A call that may block may have been carried out, and must not be repeated.
        if not self._is_resumable or (type(step) is Block and step.task is None):
            self._drive.error = error
        raise error


class ClosableIterator(_Items[T]):
    """Items from the server as they come. It can be closed from any thread.

    An error is raised again when more is asked for. After an exception from
    outside, such as Ctrl-C, iterating continues where it was.

    Args:
        flow: gives the items.
        driver: performs the steps. Its `interrupt` is called when the iterator
            is closed, and its `finish` once when the iteration has ended.
    """

    def __init__(self, flow: Flow[Any], driver: Any):
        super().__init__(flow)
        self._driver = driver
        self._closed = threading.Event()
        self._iterating = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._closed.is_set():
            for item in self._items:
                return item
        with self._iterating:
            try:
                return self._advance()
            except BaseException as error:
                if not self._is_resumable or isinstance(error, Exception):
                    self._finish()
                raise

    def _advance(self) -> T:
        while not self._closed.is_set():
            for item in self._items:
                return item
            try:
                step = self._next_step()
                if step is not None:
                    self._carry_out(step)
            except Closed:
                break
        raise StopIteration

    def _carry_out(self, step: Step) -> None:
        try:
            result = self._driver.perform(step, self._closed)
        except BaseException as error:
            self._fail(step, error)
        else:
            self._succeed(result)

    def close(self) -> None:
        """End the iteration, also from another thread.

        A pause and a held request end within a second; a request that gets no
        response ends with its own timeout.
        """
        self._closed.set()
        self._driver.interrupt()
        # A thread that is iterating just now finishes it itself.
        if self._iterating.acquire(blocking=False):
            try:
                self._finish()
            finally:
                self._iterating.release()

    def _finish(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._flow.close()
            self._driver.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClosableIterator(_Items[T]):
    """Items from the server as they come. It can be closed from any task of its loop.

    An error is raised again when more is asked for. After a cancellation
    iterating continues where it was.

    Args:
        flow: gives the items.
        driver: performs the steps. Its `interrupt` is called when the iterator
            is closed, and its `finish` once when the iteration has ended.
    """

    def __init__(self, flow: Flow[Any], driver: Any):
        import asyncio

        super().__init__(flow)
        self._driver = driver
        self._closed = asyncio.Event()
        self._is_iterating = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._closed.is_set():
            for item in self._items:
                return item
        if self._is_iterating:
            raise RuntimeError("another task is iterating over this just now")
        self._is_iterating = True
        try:
            return await self._advance()
        except BaseException as error:
            # After a cancellation it can be continued, unless it was closed as well.
            if isinstance(error, Exception) or self._closed.is_set():
                await self._finish()
            raise
        finally:
            self._is_iterating = False

    async def _advance(self) -> T:
        await self._driver.prepare()
        while not self._closed.is_set():
            for item in self._items:
                return item
            try:
                step = self._next_step()
                if step is not None:
                    await self._carry_out(step)
            except Closed:
                break
        raise StopAsyncIteration

    async def _carry_out(self, step: Step) -> None:
        try:
            result = await self._driver.perform(step, self._closed)
        except BaseException as error:
            self._fail(step, error)
        else:
            self._succeed(result)

    async def aclose(self) -> None:
        """End the iteration, also from another task; what it waits for ends at once."""
        self._closed.set()
        self._driver.interrupt()
        # A task that is iterating just now finishes it itself.
        if not self._is_iterating:
            await self._finish()

    async def _finish(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._flow.close()
            await self._driver.finish()

    def _abandon(self) -> None:
        """End the iteration in the background: nobody will."""
        if not self._is_finished:
            self._is_finished = True
            self._closed.set()
            self._driver.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
