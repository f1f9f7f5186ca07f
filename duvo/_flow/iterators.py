"""Iterators over the items that a flow gives. They can be closed."""

from __future__ import annotations

import sys
import threading
from typing import Any, Generic, Protocol, TypeVar

from .._advice import words
from .._errors import ConfigError, DuvoError
from .._forks import renew_in_child
from .drivers import Drive
from .steps import Closed, Give
from .surface import shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from .steps import Flow, Step

T = TypeVar("T")


class Limit(Protocol):
    """The time limit of an iteration."""

    @property
    def seconds_left(self) -> float:
        """Seconds for which it may take longer; -1.0 for no limit."""

    def out_of_time(self) -> Exception:
        """Return the error for an iteration whose time is up."""


class _Items(Generic[T]):
    """A flow, and the items of its last `Give`."""

    def __init__(self, flow: Flow[Any]):
        self._flow = flow
        self._drive: Drive[Any] | None = None
        self._taken: Give | None = None
        self._items: Iterator[T] = iter(())
        self._is_finished = False
        # Why the iteration ended for good: an error of its flow, or from outside.
        self._end: BaseException | None = None
        # Whether it continues after an exception from outside. A batch in threads would
        # keep a process that ends from its end.
        self._is_resumable = True
        # The thread that is iterating at the moment, or None.
        self._thread: int | None = None

    def _next_step(self) -> Step | None:
        """Return the next step, or None if the flow has ended; raise the error that ended it."""
        if self._end is not None:
            raise self._end
        drive = self._drive
        if drive is None:
            drive = self._drive = Drive(self._flow)
        if drive.error is not None:
            raise drive.error
        if drive.step is not None and drive.step is self._taken:
            drive.resume(None)
        return drive.step

    def _take(self, step: Give) -> None:
        # The flow continues after this step once its items have been returned.
        self._taken, self._items = step, iter(step.items)

    @property
    def _has_ended(self) -> bool:
        """Whether the flow has ended: an exception from outside leaves its step pending."""
        if self._end is not None:
            return True
        drive = self._drive
        return drive is not None and (drive.step is None or drive.error is not None)

    def _succeed(self, result: object) -> None:
        assert self._drive is not None
        self._drive.resume(result)

    def _fail(self, step: Step, error: BaseException) -> None:
        assert self._drive is not None
        if isinstance(error, step.enters):
            self._drive.fail(error)
            return
        if not self._is_resumable and not _is_interactive():
            self._end = DuvoError(
                f"{type(error).__name__} ended the iteration; the runs are still running, and "
                f"{words().continue_batch()}"
            )
        raise error


def _is_interactive() -> bool:
    """Whether Ctrl-C ends a statement or a notebook cell, and not the process."""
    return hasattr(sys, "ps1")


class ClosableIterator(_Items[T]):
    """An iterator over items from the server. It can be closed from any thread, or by `with`.

    After an error, each further `next` raises it again. After an exception from
    outside, such as Ctrl-C, the iteration resumes where it was. While one thread is
    iterating, another waits.
    """

    # `close` calls the driver's `interrupt`, and the end its `finish`, once.
    def __init__(self, flow: Flow[Any], driver: Any, limit: Limit | None = None):
        super().__init__(flow)
        self._driver = driver
        self._limit = limit
        self._closed = threading.Event()
        self._lock = threading.RLock()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Continue in a forked process, although another thread was iterating."""
        if self._thread == threading.get_ident():
            return
        self._lock = threading.RLock()
        self._thread = None
        if getattr(self._flow, "gi_running", False):
            self._end = ConfigError("the process was forked while this iterator advanced")
        if not self._is_resumable:
            self._end = ConfigError("a batch belongs to the process that began it")
            self._is_finished = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._closed.is_set():
            for item in self._items:
                return item
        lock = self._lock
        if not lock.acquire(timeout=-1.0 if self._limit is None else self._limit.seconds_left):
            assert self._limit is not None
            raise self._limit.out_of_time()
        try:
            if self._thread is not None:
                raise RuntimeError("a function that is called while iterating cannot iterate too")
            self._thread = threading.get_ident()
            try:
                return self._advance()
            except DuvoError as error:
                raise shorten(error)  # noqa: B904  # it is the same error
            finally:
                self._thread = None
                if self._has_ended or self._closed.is_set():
                    self._finish()
        finally:
            lock.release()

    def _advance(self) -> T:
        while not self._closed.is_set():
            for item in self._items:
                return item
            step = self._next_step()
            if step is None:
                break
            if type(step) is Give:
                self._take(step)
                continue
            try:
                self._perform(step)
            except Closed:
                break
        raise StopIteration

    def _perform(self, step: Step) -> None:
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
        # A thread that is iterating at the moment finishes it.
        if self._lock.acquire(blocking=False):
            try:
                if self._thread is None:
                    self._finish()
            finally:
                self._lock.release()

    def _finish(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._flow.close()
            self._driver.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClosableIterator(_Items[T]):
    """An async iterator over items from the server. Any task of its loop can close it.

    After an error, each further `anext` raises it again. After a cancellation,
    the iteration resumes where it was. `async with` closes it at the end of the block.
    """

    # `aclose` calls the driver's `interrupt`, and the end its `finish`, once.
    def __init__(self, flow: Flow[Any], driver: Any, limit: Limit | None = None):
        from .asyncio_tasks import Closing

        super().__init__(flow)
        self._driver = driver
        self._closed = Closing()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._closed.is_set():
            for item in self._items:
                return item
        if self._thread is not None:
            raise RuntimeError("another task is already iterating over this")
        self._thread = threading.get_ident()
        try:
            return await self._advance()
        except DuvoError as error:
            raise shorten(error)  # noqa: B904  # it is the same error
        finally:
            self._thread = None
            if self._has_ended or self._closed.is_set():
                await self._finish()

    async def _advance(self) -> T:
        await self._driver.prepare()
        while not self._closed.is_set():
            for item in self._items:
                return item
            step = self._next_step()
            if step is None:
                break
            if type(step) is Give:
                self._take(step)
                continue
            try:
                await self._perform(step)
            except Closed:
                break
        raise StopAsyncIteration

    async def _perform(self, step: Step) -> None:
        try:
            result = await self._driver.perform(step, self._closed)
        except BaseException as error:
            self._fail(step, error)
        else:
            self._succeed(result)

    async def aclose(self) -> None:
        """End the iteration, also from another task. A pending pause or read ends at once."""
        self._closed.set()
        self._driver.interrupt()
        # A task that is iterating at the moment finishes it.
        if self._thread is None:
            await self._finish()

    async def _finish(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._flow.close()
            await self._driver.finish()

    def _abandon(self) -> None:
        """End the iteration in the background, because it was dropped without being closed."""
        if not self._is_finished:
            self._is_finished = True
            self._closed.set()
            self._driver.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
