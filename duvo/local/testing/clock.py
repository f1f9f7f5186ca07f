"""The engine's time, which tests set ahead."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from typing import Any

from .._clock import clock
from .._store import queries, statuses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .._execution.engine import Engine

    Perform = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]

__tracebackhide__ = True  # pytest shows the author's code alone

_TIMEOUT = 10.0
"""Maximum number of seconds that a turn may work between two sleeps in `advance`."""

_POLL = 0.002


class EngineClock:
    """The engine's time of day. It runs as usual, and can be set ahead.

        duvo_clock.advance(days=3)

    Sleeps of agents and all timestamps of runs follow it. Clients and tools, with
    their timeouts, keep the real time.
    """

    def __init__(self, perform: Perform, requests: Callable[[], int]):
        self._perform = perform
        self._requests = requests
        self._jumping: asyncio.Task[None] | None = None
        self._is_advancing = False

    def now(self) -> datetime:
        """Return the engine's time, in UTC."""
        return datetime.fromtimestamp(clock.now(), timezone.utc)

    def advance(
        self,
        *unnamed: NoReturn,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Set the time ahead; return when everything that was due has happened.

        Turns that are at work come first. The time then moves from the end of one
        sleep to the next: an agent that sleeps a day three times has woken three
        times after three days.

        Raises:
            TypeError: a number has no unit.
            ValueError: the time would be set back.
            EngineError: an agent's function blocks the event loop.
            TimeoutError: a turn works for over 10 seconds without sleeping or waiting
                for a human.
        """
        if unnamed:
            given = ", ".join(map(repr, unnamed))
            raise TypeError(f"name the unit: advance(seconds={given}), or minutes=, hours=, days=")
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if step < timedelta():
            raise ValueError("the engine's time cannot be set back")
        try:
            self._perform(lambda engine: self._advance(engine, step.total_seconds()))
        except TimeoutError as error:
            # Without the frames of the engine's thread.
            raise error.with_traceback(None) from None

    @property
    def auto(self) -> bool:
        """Whether the time moves to the end of the next sleep by itself.

        It does so whenever every turn sleeps and no request is in flight. A run that
        works or waits for a human holds it.
        """
        return self._jumping is not None

    @auto.setter
    def auto(self, is_on: bool) -> None:
        async def switch(engine: Engine) -> None:
            if self._jumping is not None:
                self._jumping.cancel()
            self._jumping = asyncio.create_task(self._jump(engine)) if is_on else None

        self._perform(switch)

    async def _advance(self, engine: Engine, seconds: float) -> None:
        self._is_advancing = True
        try:
            await self._settle(engine)
            with clock.stopped():
                end = clock.now() + seconds
                while (moment := engine.alarms.next_moment) <= end:
                    clock.set_ahead(moment)
                    engine.alarms.look()
                    await self._settle(engine)
                clock.set_ahead(end)
        finally:
            self._is_advancing = False

    async def _settle(self, engine: Engine) -> None:
        """Return when no request is in flight, and each turn sleeps or waits for a human."""
        deadline = asyncio.get_running_loop().time() + _TIMEOUT
        while True:
            unfinished = await engine.transact(queries.statuses_of_unfinished)
            at_work = {
                run_id for run_id, status in unfinished.items() if status != statuses.WAITING
            } - _asleep(engine)
            if not at_work and not self._requests():
                return
            if asyncio.get_running_loop().time() > deadline:
                names = ", ".join(sorted(at_work)) or "a request"
                raise TimeoutError(
                    f"the engine's time was not set ahead: still at work after {_TIMEOUT:g} s: "
                    f"{names}"
                )
            await asyncio.sleep(_POLL)

    async def _jump(self, engine: Engine) -> None:
        while True:
            await asyncio.sleep(_POLL)
            if not _asleep(engine):
                continue
            unfinished = await engine.transact(queries.statuses_of_unfinished)
            if self._is_advancing or self._requests() or _asleep(engine) != unfinished.keys():
                continue
            if math.isfinite(moment := engine.alarms.next_moment):
                with clock.stopped():
                    clock.set_ahead(moment)
                    engine.alarms.look()


def _asleep(engine: Engine) -> set[str]:
    return {run_id for (run_id, _), turn in engine.turns.items() if turn.is_asleep}
