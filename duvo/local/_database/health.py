"""Health checks of the database that never take long, even during an outage."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from .._text import logger
from .._threads import in_thread
from . import schema

T = TypeVar("T")

_TIMEOUT = 1.0
"""Seconds that the database has to answer."""


class DatabaseCheck:
    """Runs queries that return within a second, or return None."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._running: dict[Callable[[sa.Connection], Any], asyncio.Task[Any]] = {}
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
        # One at a time, however many ask: it may hang for minutes.
        task = self._running.get(query)
        if task is None:
            task = self._running[query] = asyncio.create_task(self._execute(query))
        await asyncio.wait({task}, timeout=_TIMEOUT)
        return task.result() if task.done() else None

    async def _execute(self, query: Callable[[sa.Connection], Any]) -> Any:
        def execute() -> Any:
            with contextlib.suppress(Exception), self._engine.connect() as connection:
                return query(connection)

        try:
            return await in_thread(execute)
        finally:
            del self._running[query]


def _version(connection: sa.Connection) -> int | None:
    return connection.scalar(sa.select(schema.meta.c.version))


def _runs_by_status(connection: sa.Connection) -> dict[str, int]:
    status = schema.runs.c.status
    rows = connection.execute(sa.select(status, sa.func.count()).group_by(status))
    return {row[0]: row[1] for row in rows}
