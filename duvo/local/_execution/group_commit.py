"""Group commit: writes that arrive together share a transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import attrs
import sqlalchemy as sa

from .._database.database import Database, EngineClosed

T = TypeVar("T")

_MAX_TOGETHER = 25
"""Writes in one transaction: the first of them waits for the last."""

_MAX_ALONE = 3
"""Threads for writes that have a transaction of their own."""


@attrs.frozen(eq=False)
class _Write:
    work: Callable[[sa.Connection], Any]
    run_id: str | None
    done: asyncio.Future[Any]


class GroupCommit:
    """Commits the writes of all turns, in one thread; belongs to the running event loop.

    A transaction costs more than the statements in it. Writes that arrive
    during one transaction share the next. If one of them fails or finds its
    run locked, each is done again in a transaction of its own. `notify` is
    called on the loop with each run that was changed.
    """

    def __init__(self, database: Database, notify: Callable[[str], None]):
        self._database = database
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duvo-turns")
        self._alone = ThreadPoolExecutor(_MAX_ALONE, thread_name_prefix="duvo-turns-alone")
        self._queue: deque[_Write] = deque()
        self._is_writing = False
        self._is_closed = False

    async def commit(self, work: Callable[[sa.Connection], T], run_id: str | None = None) -> T:
        """Do the work, which must be harmless when repeated, then notify for the run.

        The notification is sent even if the caller has been cancelled.
        """
        if self._is_closed:
            raise EngineClosed
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.append(_Write(work, run_id, done))
        self._start_writing()
        return await done

    def close(self) -> None:
        """Accept no more writes; pending ones may still be committed."""
        self._is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._alone.shutdown(wait=False, cancel_futures=True)

    def _start_writing(self) -> None:
        if self._is_writing or not self._queue:
            return
        try:
            self._thread.submit(self._write_queued)
        except RuntimeError:  # closed, or the interpreter is exiting
            raise EngineClosed from None
        self._is_writing = True

    def _write_queued(self) -> None:
        while self._queue:
            count = min(_MAX_TOGETHER, len(self._queue))
            taken = [self._queue.popleft() for _ in range(count)]
            writes = [write for write in taken if not write.done.cancelled()]
            if writes:
                self._write_together(writes)
        self._call_soon(self._stop_writing)

    def _write_together(self, writes: list[_Write]) -> None:
        try:
            results = self._database.attempt(
                lambda connection: [write.work(connection) for write in writes]
            )
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the engine was closed
                for write in writes:
                    self._alone.submit(self._write_alone, write)
        else:
            self._call_soon(self._succeed, writes, results)

    def _write_alone(self, write: _Write) -> None:
        try:
            result = self._database.transact(write.work)
        except BaseException as error:
            self._call_soon(self._fail, write, error)
        else:
            self._call_soon(self._succeed, [write], [result])

    def _call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)

    def _succeed(self, writes: list[_Write], results: list[Any]) -> None:
        for write, result in zip(writes, results, strict=True):
            if write.run_id is not None:
                self._notify(write.run_id)
            if not write.done.done():
                write.done.set_result(result)

    def _fail(self, write: _Write, error: BaseException) -> None:
        if not write.done.done():
            write.done.set_exception(error)

    def _stop_writing(self) -> None:
        self._is_writing = False
        with contextlib.suppress(EngineClosed):
            self._start_writing()
