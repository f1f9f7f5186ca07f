"""Turns that were resumed here and have made no progress yet: one of them may kill the server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from .._database.advisory_lock import AdvisoryLock
from .._database.database import Database
from .._store import turns
from .._text import logger, one_line
from .._threads import in_thread

_TRIAL = 60.0
"""Seconds after which a resumed turn no longer counts as dangerous."""

_SETTLING = 1.0
"""Seconds before a suspect is resumed, so that it is not blamed for a kill at the start."""

_POLL = 0.5
"""Seconds between two attempts to get the lock of suspects."""

_BATCHING = 0.1
"""Seconds for which progress is collected before it is recorded."""

_END_TIMEOUT = 1.0
"""Seconds within which a clean end must be recorded."""

Turn = tuple[str, int]


class Resumed:
    """The resumed turns of this server; belongs to the running event loop.

    Each was counted before its code ran. Progress, 60 seconds of life, a clean
    end and a lost database reset the count, so that a turn keeps it only if the
    server died. One that has kept it twice is a suspect: suspects are resumed
    one at a time, across all servers.
    """

    def __init__(
        self, database: Database, transact: Callable[[Callable[[sa.Connection], None]], Any]
    ):
        self._transact = transact
        self._lock = AdvisoryLock(database.create_unpooled()) if database.is_shared else None
        self._since: dict[Turn, float] = {}
        self._progressed: set[str] = set()
        self._has_progressed = asyncio.Event()
        self._next_alone = asyncio.Lock()
        self._alone: Turn | None = None

    def add(self, turn: Turn) -> None:
        """Note that the turn was counted, and that its code runs now."""
        self._since[turn] = time.monotonic()

    async def wait_until_alone(self, turn: Turn) -> None:
        """Return when no other suspect runs; the turn is then alone until it makes progress."""
        await asyncio.sleep(_SETTLING)
        await self._next_alone.acquire()
        if self._lock is not None:
            await self._acquire(self._lock)
        self._alone = turn
        self.add(turn)
        logger.warning("run %s: resumed alone, since two servers died just after", turn[0])

    async def _acquire(self, lock: AdvisoryLock) -> None:
        while True:
            attempt = asyncio.ensure_future(in_thread(lock.try_acquire))
            try:
                if await asyncio.shield(attempt):
                    return
                await asyncio.sleep(_POLL)
            except BaseException:
                # Its thread may still get the lock.
                attempt.add_done_callback(lambda _: self._let_next())
                raise

    def progress(self, turn: Turn) -> None:
        """Note that the turn has recorded a step, waits, has ended, or ends with the server."""
        if self._since.pop(turn, None) is not None:
            self._progressed.add(turn[0])
            self._has_progressed.set()

    async def record(self) -> None:
        """Record progress, for as long as the engine runs."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._has_progressed.wait(), _TRIAL / 10)
            await asyncio.sleep(_BATCHING)
            survived = time.monotonic() - _TRIAL
            for turn in [turn for turn, since in self._since.items() if since < survived]:
                self.progress(turn)
            try:
                await self._record()
            except sa.exc.DBAPIError as error:
                logger.error("progress of resumed runs was not recorded: %s", one_line(error))

    async def close(self) -> None:
        """Record that the server ends cleanly, if the database answers."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._record(), _END_TIMEOUT)
        if self._lock is not None:
            self._lock.release()

    async def _record(self) -> None:
        self._has_progressed.clear()
        progressed, self._progressed = sorted(self._progressed), set()
        for start in range(0, len(progressed), 500):
            run_ids = progressed[start : start + 500]
            try:
                await self._transact(functools.partial(turns.reset_resumed, run_ids=run_ids))
            except BaseException:
                # Kept for the next attempt, or for `close` if this was cancelled.
                self._progressed.update(progressed[start:])
                raise
        # Not earlier: the next suspect may kill the server.
        if self._alone is not None and self._alone not in self._since:
            self._let_next()

    def _let_next(self) -> None:
        self._alone = None
        if self._lock is not None:
            self._lock.release()
        self._next_alone.release()
