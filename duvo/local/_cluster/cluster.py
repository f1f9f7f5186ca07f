"""One PostgreSQL database, several servers: what a dead one left is taken over by the others."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from .._database.database import GivenUp, Store
from .._execution.turn import RunningTurn
from .._notifier import Notifier
from .._store import statuses, turns
from . import broadcasts, membership
from .broadcasts import Signal
from .heartbeat import Presence

T = TypeVar("T")

logger = logging.getLogger("duvo.local")

_LOOK = 0.5
"""Seconds between two looks for dead servers."""

_RECHECK = 30.0
"""Seconds between two checks of what signals should have told."""

_TOLD_AGAIN = 60.0
"""Seconds between two lines about this server's being out of touch."""

_AFTER_A_FAULT = 5.0

_COALESCING = 0.005
"""Seconds for which signals are gathered: the commits that send some wait for each other."""


class Host(Protocol):
    """What sharing needs of the engine."""

    notifier: Notifier
    turns: dict[tuple[str, int], RunningTurn]

    async def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in a transaction, when the database is there."""

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the function on the loop; from any thread."""

    async def suspend(self) -> None:
        """Leave every turn as it stands."""

    async def resume(self, server_id: str) -> None:
        """Carry turns out again, as the server of that id."""

    async def recover(self, server_ids: list[str]) -> None:
        """Take the turns of those servers over."""


class Sharing:
    """This server among those that share the database.

    Attributes:
        server_id: who it is; another one after it was out of touch.
    """

    def __init__(self, host: Host, store: Store):
        self.server_id = ""
        self._host = host
        self._presence = Presence(
            store.separate_engine(), self._hear, self._connected, self._beaten
        )
        self._beat = asyncio.Event()
        self._changed: set[str] = set()
        self._tell = asyncio.Event()
        self._look = asyncio.Event()
        self._taken_over: set[str] = set()
        self._told = float("-inf")

    async def join(self) -> str:
        """Take part under a new id, which is returned."""
        server_id = membership.new_id()

        def work(connection: sa.Connection) -> float:
            before = time.monotonic()
            membership.join(connection, server_id)
            return before

        since = await self._host.transact(work)
        self.server_id = server_id
        self._presence.start(server_id, since)
        return server_id

    def tasks(self) -> list[Any]:
        """What is to go on for as long as the engine runs."""
        return [self._keep_in_touch(), self._watch_over_others(), self._call_out(), self._recheck()]

    def leave(self) -> None:
        """Let the others take over at once; when nothing of this server's runs any more."""
        self._presence.close()

    async def while_in_touch(self) -> None:
        """Return when no other server can have taken over; where one has, one is cancelled.

        Asked before what must not happen twice.
        """
        while not self.is_in_touch:
            await self._beat.wait()

    @property
    def is_in_touch(self) -> bool:
        """Whether no other server can have taken over at this moment; from any thread."""
        return self._presence.is_in_touch

    def tell(self, run_id: str) -> None:
        """Tell the other servers soon that the run changed."""
        self._changed.add(run_id)
        self._tell.set()

    def tell_within(
        self, connection: sa.Connection, run_id: str, ends_turn: int | None = None
    ) -> None:
        """Tell the other servers that the run changed, when the transaction is committed."""
        ended = None if ends_turn is None else (run_id, ends_turn)
        broadcasts.call(connection, [Signal(self.server_id, (run_id,), ended)])

    async def strays(self, server_ids: Iterable[str]) -> list[str]:
        """Those of the servers that do not live."""
        return sorted(set(server_ids) - await self._host.transact(membership.living))

    async def _keep_in_touch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK / 2)
            if not self._presence.is_fresh:
                await _insisting(self._join_anew, "this server could not join again")

    async def _join_anew(self) -> None:
        if time.monotonic() - self._told > _TOLD_AGAIN:
            self._told = time.monotonic()
            logger.warning(
                "this server was out of touch with the database%s; "
                "its runs go on where they are taken over",
                f" ({self._presence.trouble})" if self._presence.trouble else "",
            )
        left = self.server_id
        await self._host.suspend()
        await self._host.resume(await self.join())
        await self._host.recover([left])

    async def _watch_over_others(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._look.wait(), _LOOK)
            self._look.clear()
            await _insisting(self._take_over, "what a dead server left was not taken over")

    async def _take_over(self) -> None:
        dead = await self._host.transact(membership.dead)
        dead.pop(self.server_id, None)
        newly = [one for one, lately in dead.items() if lately or one not in self._taken_over]
        await self._host.recover(newly)
        self._taken_over = set(dead)

    async def _call_out(self) -> None:
        while True:
            await self._tell.wait()
            await asyncio.sleep(_COALESCING)
            self._tell.clear()
            changed, self._changed = self._changed, set()
            signals = list(broadcasts.changes(self.server_id, changed))
            await _insisting(
                lambda signals=signals: self._host.transact(  # type: ignore[misc]
                    functools.partial(broadcasts.call, signals=signals)
                ),
                "the other servers were not told of changes",
            )

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK)
            await _insisting(self._check, "the runs at work here were not looked at again")

    async def _check(self) -> None:
        here = list(self._host.turns)
        for start in range(0, len(here), 1000):
            running_here = dict(here[start : start + 1000])
            for run_id, turn, status in await self._host.transact(
                functools.partial(turns.standing, run_ids=list(running_here))
            ):
                running = self._host.turns.get((run_id, running_here[run_id]))
                if running is not None and (turn != running.number or status in statuses.ENDED):
                    running.end()
                elif status != statuses.WAITING:
                    self._host.notifier.ring(run_id)
        # What a server wrote that was taken for dead too early may have come later.
        dead = list(await self._host.transact(membership.dead))
        await self._host.recover(dead)
        await self._host.transact(functools.partial(membership.forget, server_ids=dead))

    def _hear(self, signal: Signal) -> None:
        self._host.soon(self._heed, signal)

    def _heed(self, signal: Signal) -> None:
        for run_id in signal.changed:
            self._host.notifier.ring(run_id)
        if signal.ended is not None:
            running = self._host.turns.get(signal.ended)
            if running is not None:
                running.end()
        if signal.left:
            self._look.set()

    def _connected(self) -> None:
        self._host.soon(self._host.notifier.ring_all)

    def _beaten(self) -> None:
        self._host.soon(self._go_on)

    def _go_on(self) -> None:
        self._beat.set()
        self._beat = asyncio.Event()


async def _insisting(work: Callable[[], Any], otherwise: str) -> None:
    try:
        await work()
    except GivenUp:
        raise asyncio.CancelledError from None
    except Exception as error:
        logger.error("%s: %s", otherwise, " ".join(str(getattr(error, "orig", error)).split()))
        await asyncio.sleep(_AFTER_A_FAULT)
