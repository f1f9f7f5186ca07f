"""Questions to the database that have an answer within a moment, or none."""

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

_MOMENT = 1.0
"""Seconds that the database has to answer."""


class DatabaseCheck:
    """Asks without ever waiting for long, whatever became of the database."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._asked: dict[Callable[[sa.Connection], Any], asyncio.Future[Any]] = {}
        self._was_there = True

    async def is_there(self) -> bool:
        """Whether the database answers; the log tells when that changes."""
        version = await self._ask(_version)
        if (version is not None) != self._was_there:
            self._was_there = version is not None
            logger.warning(
                "the database answers again"
                if self._was_there
                else "the database does not answer; requests wait for it"
            )
        return self._was_there

    async def runs_by_status(self) -> dict[str, int] | None:
        """How many runs have each status, or None where that is not told in time."""
        return await self._ask(_runs_by_status)

    async def _ask(self, question: Callable[[sa.Connection], T]) -> T | None:
        asked = self._asked.get(question)
        if asked is None:
            # One at a time, however many want to know: it may stand for minutes.
            asked = self._asked[question] = asyncio.get_running_loop().create_future()
            # A thread that no end of the process waits for.
            threading.Thread(
                target=self._answer, args=(question, asked), name="duvo-check", daemon=True
            ).start()
        with contextlib.suppress(asyncio.TimeoutError):
            answer: T | None = await asyncio.wait_for(asyncio.shield(asked), _MOMENT)
            return answer
        return None

    def _answer(self, question: Callable[[sa.Connection], Any], asked: asyncio.Future[Any]) -> None:
        answer = None
        with contextlib.suppress(Exception), self._engine.connect() as connection:
            answer = question(connection)

        def settle() -> None:
            del self._asked[question]
            if not asked.done():
                asked.set_result(answer)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            asked.get_loop().call_soon_threadsafe(settle)


def _version(connection: sa.Connection) -> int | None:
    return connection.scalar(sa.select(schema.meta.c.version))


def _runs_by_status(connection: sa.Connection) -> dict[str, int]:
    status = schema.runs.c.status
    counted = connection.execute(sa.select(status, sa.func.count()).group_by(status))
    return {row[0]: row[1] for row in counted}
