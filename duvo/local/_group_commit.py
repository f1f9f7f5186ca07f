"""What many turns write, in one transaction where it comes together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import attrs
import sqlalchemy as sa

from ._store import GivenUp, Store

T = TypeVar("T")

_TOGETHER = 25
"""Pieces of work in one transaction at most: the first of them waits for the last."""


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
    """One thread that commits for all turns; belongs to the running event loop.

    A transaction costs more than what is done in it. What comes while one is
    under way is done in the next, all together.

    Args:
        store: what the work is done in.
        ring: called on the loop with the run that was changed.
    """

    def __init__(self, store: Store, ring: Callable[[str], None]):
        self._store = store
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duvo-turns")
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
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _go_on(self) -> None:
        if self._is_at_work or not self._asked:
            return
        try:
            self._thread.submit(self._work)
        except RuntimeError:  # the engine was closed, or the interpreter ends
            raise GivenUp from None
        self._is_at_work = True

    def _work(self) -> None:
        try:
            while self._asked:
                count = min(_TOGETHER, len(self._asked))
                next_ones = [self._asked.popleft() for _ in range(count)]
                together = [one for one in next_ones if not one.done.cancelled()]
                self._loop.call_soon_threadsafe(self._tell, self._outcomes(together))
            self._loop.call_soon_threadsafe(self._rest)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _outcomes(self, together: list[_Asked]) -> Iterable[_Outcome]:
        if len(together) > 1:
            try:
                results = self._store.transact(lambda on: [one.work(on) for one in together])
            except Exception:
                # One of them spoils it for all. Alone it fails alone.
                pass
            else:
                return map(_Outcome, together, results)
        return [self._alone(one) for one in together]

    def _alone(self, asked: _Asked) -> _Outcome:
        try:
            return _Outcome(asked, self._store.transact(asked.work))
        except BaseException as error:
            return _Outcome(asked, error=error)

    def _tell(self, outcomes: Iterable[_Outcome]) -> None:
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
