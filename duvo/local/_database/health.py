"""Health checks of the database that never take long, even during an outage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from . import schema

T = TypeVar("T")

logger = logging.getLogger("duvo.local")

_TIMEOUT = 1.0
"""Seconds that the database has to answer."""


class DatabaseCheck:
    """Runs queries that return within a second, or return None."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._running: dict[Callable[[sa.Connection], Any], asyncio.Future[Any]] = {}
        self._was_up = True

    async def is_up(self) -> bool:
        """Whether the database answers; logs each change."""
        is_up = await self._run(_version) is not None
        if is_up != self._was_up:
            self._was_up = is_up
            logger.warning(
                "the database answers again"
                if is_up
                else "the database does not answer; requests wait for it"
            )
        return is_up

    async def runs_by_status(self) -> dict[str, int] | None:
        """Return the number of runs of each status, or None if the database is too slow."""
        return await self._run(_runs_by_status)

    async def _run(self, query: Callable[[sa.Connection], T]) -> T | None:
        result = self._running.get(query)
        if result is None:
            # One at a time, however many ask: it may hang for minutes.
            result = self._running[query] = asyncio.get_running_loop().create_future()
            # A daemon thread: the process may exit while it hangs.
            threading.Thread(
                target=self._execute, args=(query, result), name="duvo-check", daemon=True
            ).start()
        with contextlib.suppress(asyncio.TimeoutError):
            answer: T | None = await asyncio.wait_for(asyncio.shield(result), _TIMEOUT)
            return answer
        return None

    def _execute(self, query: Callable[[sa.Connection], Any], result: asyncio.Future[Any]) -> None:
        answer = None
        with contextlib.suppress(Exception), self._engine.connect() as connection:
            answer = query(connection)

        def settle() -> None:
            del self._running[query]
            if not result.done():
                result.set_result(answer)

        with contextlib.suppress(RuntimeError):  # the loop is closed
            result.get_loop().call_soon_threadsafe(settle)


def _version(connection: sa.Connection) -> int | None:
    return connection.scalar(sa.select(schema.meta.c.version))


def _runs_by_status(connection: sa.Connection) -> dict[str, int]:
    status = schema.runs.c.status
    rows = connection.execute(sa.select(status, sa.func.count()).group_by(status))
    return {row[0]: row[1] for row in rows}
