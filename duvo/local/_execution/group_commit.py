"""What many turns write, in one transaction where it comes together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import attrs
import sqlalchemy as sa

from .._database.database import GivenUp, Store

T = TypeVar("T")

_TOGETHER = 25
"""Pieces of work in one transaction at most: the first of them waits for the last."""

_ASIDE = 3
"""Threads for what is not done together."""


@attrs.frozen(eq=False)
class _Asked:
    work: Callable[[sa.Connection], Any]
    rings: str | None
    done: asyncio.Future[Any]


@attrs.frozen(eq=False)
class _Outcome:
    of: _Asked
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Commits for all turns, in one thread; belongs to the running event loop.

    A transaction costs more than what is done in it. What comes while one is
    under way is done in the next, all together. What spoils it for the others,
    since it fails or its run is locked, is done aside.

    Args:
        store: what the work is done in.
        ring: called on the loop with the run that was changed.
    """

    def __init__(self, store: Store, ring: Callable[[str], None]):
        self._store = store
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duvo-turns")
        self._aside = ThreadPoolExecutor(_ASIDE, thread_name_prefix="duvo-turns-aside")
        self._asked: deque[_Asked] = deque()
        self._is_at_work = False

    async def do(self, work: Callable[[sa.Connection], T], rings: str | None) -> T:
        """Do the work, which is harmless when repeated, and ring for the run.

        It rings also when the one who asked has been cancelled meanwhile.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._asked.append(_Asked(work, rings, done))
        self._go_on()
        return await done

    def close(self) -> None:
        """Take no more; what was asked for may still be done."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._aside.shutdown(wait=False, cancel_futures=True)

    def _go_on(self) -> None:
        if self._is_at_work or not self._asked:
            return
        try:
            self._thread.submit(self._work)
        except RuntimeError:  # the engine was closed, or the interpreter ends
            raise GivenUp from None
        self._is_at_work = True

    def _work(self) -> None:
        while self._asked:
            count = min(_TOGETHER, len(self._asked))
            next_ones = [self._asked.popleft() for _ in range(count)]
            together = [one for one in next_ones if not one.done.cancelled()]
            if together:
                self._commit(together)
        self._soon(self._rest)

    def _commit(self, together: list[_Asked]) -> None:
        try:
            results = self._store.attempt(lambda on: [one.work(on) for one in together])
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the engine was closed
                for one in together:
                    self._aside.submit(self._commit_alone, one)
        else:
            self._soon(self._tell, list(map(_Outcome, together, results)))

    def _commit_alone(self, asked: _Asked) -> None:
        try:
            outcome = _Outcome(asked, self._store.transact(asked.work))
        except BaseException as error:
            outcome = _Outcome(asked, error=error)
        self._soon(self._tell, [outcome])

    def _soon(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)

    def _tell(self, outcomes: list[_Outcome]) -> None:
        for outcome in outcomes:
            asked = outcome.of
            if outcome.error is None and asked.rings is not None:
                self._ring(asked.rings)
            if asked.done.done():
                continue
            if outcome.error is None:
                asked.done.set_result(outcome.result)
            else:
                asked.done.set_exception(outcome.error)

    def _rest(self) -> None:
        self._is_at_work = False
        with contextlib.suppress(GivenUp):
            self._go_on()
