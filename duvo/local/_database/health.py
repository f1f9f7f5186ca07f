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
from .database import Database

T = TypeVar("T")

_TIMEOUT = 1.0
"""Seconds that the database has to answer."""


class DatabaseCheck:
    """Runs queries that return within a second, or return None."""

    def __init__(self, database: Database):
        self._database = database
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._was_up = True

    async def is_up(self) -> bool:
        """Whether the database accepts a small write; logs each change."""
        is_up = await self._run("check", self._check) is not None
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
        return await self._run("count", self._count)

    async def _run(self, name: str, function: Callable[[], T]) -> T | None:
        # One at a time, however many ask: it may hang for minutes.
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.create_task(self._call(name, function))
        await asyncio.wait({task}, timeout=_TIMEOUT)
        return task.result() if task.done() else None

    async def _call(self, name: str, function: Callable[[], Any]) -> Any:
        def call() -> Any:
            with contextlib.suppress(Exception):
                return function()

        try:
            return await in_thread(call)
        finally:
            del self._running[name]

    def _check(self) -> bool:
        self._database.refuse_if_replaced()
        self._database.check()
        return True

    def _count(self) -> dict[str, int]:
        status = schema.runs.c.status
        with self._database.engine.connect() as connection:
            rows = connection.execute(sa.select(status, sa.func.count()).group_by(status))
            return {row[0]: row[1] for row in rows}
