"""Several servers on one PostgreSQL database: they take over the turns of a dead one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from .._database.database import Database, EngineClosed
from .._notifier import Notifier
from .._store import queries, statuses
from .._text import logger, one_line
from . import broadcasts, membership
from .broadcasts import Broadcast
from .heartbeat import Heartbeat

T = TypeVar("T")

_CHECK_INTERVAL = 0.5
"""Seconds between two checks for dead servers."""

_RECHECK_INTERVAL = 30.0
"""Seconds between two checks for changes whose broadcasts were lost."""

_LOG_INTERVAL = 60.0
"""Seconds between two log lines about this server's lost contact."""

_RETRY_AFTER = 5.0
"""Seconds between a failure and the next attempt."""

_BATCHING = 0.005
"""Seconds for which changes are collected: PostgreSQL serializes the commits that broadcast."""


class Host(Protocol):
    """What a cluster needs of the `Engine`."""

    notifier: Notifier

    @property
    def turns(self) -> Collection[tuple[str, int]]: ...
    def end_turn(self, run_id: str, number: int) -> None: ...
    async def transact(self, work: Callable[[sa.Connection], T]) -> T: ...
    def call_soon(self, function: Callable[..., Any], *arguments: Any) -> None: ...
    async def suspend(self) -> None: ...
    async def resume(self, server_id: str) -> None: ...
    async def recover(self, server_ids: list[str]) -> None: ...


class Cluster:
    """This server among those that share the database."""

    def __init__(self, host: Host, database: Database):
        self.server_id = ""  # a new one each time it joins
        self._host = host
        # The heartbeat has a thread of its own.
        self._heartbeat = Heartbeat(
            database.create_unpooled(),
            verify=database.verify,
            on_broadcast=functools.partial(host.call_soon, self._hear),
            on_connect=functools.partial(host.call_soon, host.notifier.notify_all),
            on_beat=functools.partial(host.call_soon, self._wake_waiting),
        )
        self._next_beat = asyncio.Event()
        self._changed: set[str] = set()
        self._has_changes = asyncio.Event()
        self._check_now = asyncio.Event()
        self._taken_over: set[str] = set()
        self._logged_at = float("-inf")

    async def join(self) -> str:
        """Join under a new id, and return it."""
        server_id = str(uuid.uuid4())

        def work(connection: sa.Connection) -> float:
            before = time.monotonic()
            membership.join(connection, server_id)
            return before

        joined_at = await self._host.transact(work)
        self.server_id = server_id
        self._heartbeat.start(server_id, joined_at)
        return server_id

    def tasks(self) -> list[Any]:
        """Return the coroutines to run for as long as the engine runs."""
        return [
            _repeat(_CHECK_INTERVAL / 2, self._rejoin_if_lost, "this server could not join again"),
            self._take_over_dead(),
            self._broadcast_changes(),
            _repeat(_RECHECK_INTERVAL, self._recheck, "the runs on this server were not rechecked"),
        ]

    def leave(self) -> None:
        """Let the others take over at once; call it when nothing of this server runs any more."""
        self._heartbeat.close()

    @property
    def has_lease(self) -> bool:
        """Whether no other server can have taken over this one's turns; from any thread."""
        return self._heartbeat.has_lease

    async def wait_for_lease(self) -> None:
        """Return once this server has its lease; call it before what must not happen twice.

        If another server takes over first, the caller is cancelled.
        """
        while not self.has_lease:
            await self._next_beat.wait()

    def broadcast(self, run_id: str) -> None:
        """Broadcast soon that the run changed."""
        self._changed.add(run_id)
        self._has_changes.set()

    def broadcast_within(
        self, connection: sa.Connection, run_id: str, ends_turn: int | None = None
    ) -> None:
        """Broadcast that the run changed when the transaction is committed."""
        ended = None if ends_turn is None else (run_id, ends_turn)
        broadcasts.send(connection, Broadcast(self.server_id, (run_id,), ended))

    async def not_alive(self, server_ids: Iterable[str]) -> list[str]:
        """Return those of the servers that are not alive."""
        return sorted(set(server_ids) - await self._host.transact(membership.alive))

    async def _rejoin_if_lost(self) -> None:
        if self._heartbeat.is_member:
            return
        if time.monotonic() - self._logged_at > _LOG_INTERVAL:
            self._logged_at = time.monotonic()
            error = self._heartbeat.last_error
            logger.warning(
                "this server lost contact with the database%s; "
                "its runs continue on the servers that take them over",
                f" ({error})" if error else "",
            )
        old_id = self.server_id
        await self._host.suspend()
        await self._host.resume(await self.join())
        await self._host.recover([old_id])

    async def _take_over_dead(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._check_now.wait(), _CHECK_INTERVAL)
            self._check_now.clear()
            await _attempt(self._take_over, "the runs of a dead server were not taken over")

    async def _take_over(self) -> None:
        dead = await self._host.transact(membership.dead)
        dead.pop(self.server_id, None)
        await self._host.recover(
            [
                server_id
                for server_id, died_recently in dead.items()
                if died_recently or server_id not in self._taken_over
            ]
        )
        self._taken_over = set(dead)

    async def _broadcast_changes(self) -> None:
        while True:
            await self._has_changes.wait()
            await asyncio.sleep(_BATCHING)
            self._has_changes.clear()
            changed, self._changed = self._changed, set()
            send = functools.partial(
                broadcasts.send_changed, sender=self.server_id, run_ids=changed
            )
            await _attempt(
                functools.partial(self._host.transact, send),
                "changes were not broadcast to the other servers",
            )

    async def _recheck(self) -> None:
        here = list(self._host.turns)
        for start in range(0, len(here), 1000):
            numbers = dict(here[start : start + 1000])
            current = functools.partial(queries.current_turns, run_ids=list(numbers))
            for run_id, turn, status in await self._host.transact(current):
                if turn != numbers[run_id] or status in statuses.ENDED:
                    self._host.end_turn(run_id, numbers[run_id])
                elif status != statuses.WAITING:
                    self._host.notifier.notify(run_id)
        # A server that was marked dead too early may have written something since.
        dead = list(await self._host.transact(membership.dead))
        await self._host.recover(dead)
        await self._host.transact(functools.partial(membership.forget, server_ids=dead))

    def _wake_waiting(self) -> None:
        self._next_beat.set()
        self._next_beat = asyncio.Event()

    def _hear(self, broadcast: Broadcast) -> None:
        for run_id in broadcast.changed:
            self._host.notifier.notify(run_id)
        if broadcast.ended is not None:
            self._host.end_turn(*broadcast.ended)
        if broadcast.left:
            self._check_now.set()


async def _repeat(seconds: float, work: Callable[[], Any], failure: str) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _attempt(work, failure)


async def _attempt(work: Callable[[], Any], failure: str) -> None:
    try:
        await work()
    except EngineClosed:
        raise asyncio.CancelledError from None
    except Exception as error:
        logger.error("%s: %s", failure, one_line(error))
        await asyncio.sleep(_RETRY_AFTER)
