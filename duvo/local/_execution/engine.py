"""The engine: runs turns durably, and commits the changes that people make to runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

from .._cluster.cluster import Cluster
from .._database.database import Database, EngineClosed
from .._notifier import Notifier
from .._store import commands, idempotency, queries
from .._store.commands import Change
from .._store.turns import TurnTakenOver
from .._text import logger, one_line
from .._threads import agent_code
from .._tool_calls import Postponed
from ..agents import Agent
from ..errors import DatabaseReplaced, EngineError
from .alarms import Alarms
from .group_commit import GroupCommit
from .resumed import Resumed
from .turn import RunningTurn
from .workflows import Workflows

T = TypeVar("T")

_CLEANUP_INTERVAL = 60.0
"""Seconds between two deletions of expired records."""

_START_TIMEOUT = 5.0
"""Seconds that a server has to start a turn it accepted, before any other may start it."""

_HOLD_FAILURE = 0.1
"""Seconds before a failure is recorded: the server's end may have caused it, in a subprocess."""

_ALONE = "local"
"""The server id on SQLite; a PostgreSQL database may have turns of that server too."""


class Engine:
    """Runs the turns of runs, and changes runs."""

    def __init__(self, database: Database, agents: Iterable[Agent]):
        self.agents: Mapping[str, Agent] = _by_id(agents)
        self.notifier = Notifier()
        # Those that run here, by run id and number.
        self.turns: dict[tuple[str, int], RunningTurn] = {}
        # Names of agents that have unfinished runs and are not among `agents`.
        self.waiting_for: tuple[str, ...] = ()
        # Whether the end was requested; set from any thread.
        self.is_leaving = False
        self._database = database
        self._cluster: Cluster | None = None
        self._workflows = Workflows(database.engine, self._run_turn)
        # Send a reply to the turn that waits for it, in a transaction; receive it there.
        self.deliver, self.receive = self._workflows.send, self._workflows.receive
        self.resumed = Resumed(database, self.transact)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="duvo-database")
        self._pending: set[tuple[str, int]] = set()
        self._running: set[asyncio.Task[Any]] = set()
        self._starting: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[Any]] = set()

    async def launch(self) -> None:
        """Run turns on the running loop, and recover those that had not ended."""
        self._loop = asyncio.get_running_loop()
        self._workflows.claim()
        self._is_active = asyncio.Event()
        self.alarms = Alarms()
        self.sleep_until = self.alarms.sleep_until
        self._commits = GroupCommit(self._database, self.notify)
        self._cluster = Cluster(self, self._database) if self._database.is_shared else None
        try:
            self._spawn(self.resumed.record(), self._background)
            await self.resume(await self._cluster.join() if self._cluster else _ALONE)
            if self._cluster is not None:
                await self.recover([_ALONE])
        except Exception as error:
            reason = " ".join(str(error).split())
            raise EngineError(f"the engine cannot use the database: {reason}") from error
        await self._log_missing_agents()
        for run_id, number in await self.transact(queries.pending):
            self._start(run_id, number)
        self._repeat(_CLEANUP_INTERVAL, self._clean_up, "records no longer needed were not deleted")
        self._repeat(_START_TIMEOUT, self._start_left_behind, "accepted runs were not started")
        for task in self._cluster.tasks() if self._cluster else []:
            self._spawn(task, self._background)

    async def resume(self, server_id: str) -> None:
        """Run turns, as the server with that id."""
        await self._workflows.launch(server_id)
        self._is_active.set()

    async def suspend(self) -> None:
        """Stop running turns until `resume`; their runs stay as they are."""
        self._is_active.clear()
        await _cancel(self._running | self._starting)
        await self._workflows.suspend()

    async def recover(self, server_ids: list[str]) -> None:
        """Take over the turns of servers that are dead."""
        await self._is_active.wait()
        if server_ids:
            await self._workflows.recover(server_ids)

    async def leave(self) -> None:
        """Stop running turns for good; their runs stay as they are, for the next engine."""
        await _cancel(self._running | self._starting | self._background)
        await self.resumed.close()

    def close(self) -> None:
        """Release what the engine holds, after its loop was closed."""
        self._database.stop_waiting()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if not self._workflows.is_claimed:
            return
        self._commits.close()
        self._workflows.close()
        if self._cluster is not None:
            self._cluster.leave()

    # Transactions.

    async def transact(self, work: Callable[[sa.Connection], T]) -> T:
        return await self._in_pool(lambda: self._database.transact(work))

    async def commit(self, work: Callable[[sa.Connection], T], *, changes: str | None = None) -> T:
        """Do a turn's work in a transaction, then notify that the run `changes` has changed.

        Such a change waits while another server may have taken over the turn.
        """
        if changes is not None:
            await self._wait_for_lease()
        return await self._commits.commit(work, changes)

    async def change(self, work: Callable[[sa.Connection], Change]) -> Change:
        """Make a change in a transaction, and do what follows from it."""

        def work_and_broadcast(connection: sa.Connection) -> Change:
            change = work(connection)
            if self._cluster is not None and change.run_id is not None:
                self._cluster.broadcast_within(connection, change.run_id, change.ends_turn)
            return change

        def transact() -> Change:
            self._database.refuse_if_replaced()
            change = self._database.transact(work_and_broadcast, once=True)
            self.call_soon(self._follow_up, change)
            return change

        return await self._in_pool(transact)

    async def _in_pool(self, function: Callable[[], T]) -> T:
        try:
            result = self._loop.run_in_executor(self._pool, function)
        except RuntimeError:  # the engine was closed, or the interpreter is exiting
            raise EngineClosed from None
        return await result

    def _follow_up(self, change: Change) -> None:
        if change.run_id is None:
            return
        if change.ends_turn is not None:
            self.end_turn(change.run_id, change.ends_turn)
        if change.starts_turn is not None:
            self._start(change.run_id, change.starts_turn)
        self.notifier.notify(change.run_id)

    def notify(self, run_id: str) -> None:
        """Notify of a change of the run, here and on the other servers."""
        self.notifier.notify(run_id)
        if self._cluster is not None:
            self._cluster.broadcast(run_id)

    def call_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the function on the loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)

    # Turns.

    def end_turn(self, run_id: str, number: int) -> None:
        """Cancel the turn if it runs here."""
        if turn := self.turns.get((run_id, number)):
            turn.end()

    async def replace_agents(self, agents: Iterable[Agent]) -> int:
        """Begin turns with these agents from now on; return how many turns keep earlier code."""
        self.agents = _by_id(agents)
        for turn in self.turns.values():
            turn.look_for_agent()
        await self._log_missing_agents()
        return sum(turn.is_replaced() for turn in self.turns.values())

    async def delete_runs(self) -> None:
        """Delete every run, and end its turn without a trace."""
        await self.transact(commands.delete_all)
        while tasks := self._running | self._starting:
            for turn in self.turns.values():
                turn.end()
            await asyncio.wait(tasks)

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function once and record its result; on recovery return the record."""

        async def call() -> str:
            while True:
                await self._wait_for_lease()
                with agent_code(True), contextlib.suppress(Postponed):
                    return json.dumps(await function())
                # A turn that has ended is cancelled here.
                await asyncio.sleep(0)

        return json.loads(await self._workflows.step(name, call))

    def may_start_tool(self) -> bool:
        """Whether no other server can be running this server's turns; from any thread."""
        return self._cluster is None or self._cluster.has_lease

    async def hold_failure(self) -> None:
        """Return after a moment; never, if the engine's end may have caused the failure."""
        await asyncio.sleep(_HOLD_FAILURE)
        if self.is_leaving:
            await asyncio.Event().wait()

    async def _wait_for_lease(self) -> None:
        if self._cluster is not None:
            await self._cluster.wait_for_lease()

    async def _run_turn(self, run_id: str, number: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        turn = self.turns[run_id, number] = RunningTurn(self, run_id, number)
        try:
            await turn.run()
        except (TurnTakenOver, EngineClosed, DatabaseReplaced):
            # DBOS would record a return as the turn's end.
            raise asyncio.CancelledError from None
        except Exception as error:
            logger.error("run %s is stuck until the next start: %s", run_id, one_line(error))
            # DBOS would record an end, and never recover the turn.
            self.resumed.progress((run_id, number))
            await turn.park()
        finally:
            self._running.discard(task)
            self.resumed.progress((run_id, number))
            if self.turns.get((run_id, number)) is turn:
                del self.turns[run_id, number]

    def _start(self, run_id: str, number: int) -> None:
        async def start() -> None:
            await self._is_active.wait()
            await self._workflows.start(run_id, number)

        self._spawn(start(), self._starting)

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[Any]]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(_log_failure)

    # Background work.

    async def _log_missing_agents(self) -> None:
        missing = {
            name: count
            for agent_id, name, count in await self.transact(queries.unfinished)
            if agent_id not in self.agents
        }
        self.waiting_for = tuple(sorted(missing))
        for name, count in sorted(missing.items()):
            runs = "1 run waits" if count == 1 else f"{count} runs wait"
            logger.warning("%s for agent %r, whose file was not given", runs, name)

    def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]], failure: str) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self._is_active.wait()
                try:
                    await work()
                except Exception as error:
                    logger.error("%s: %s", failure, one_line(error))

        self._spawn(repeat(), self._background)

    async def _clean_up(self) -> None:
        await self.transact(idempotency.delete_expired)
        await self._workflows.delete_ended()

    async def _start_left_behind(self) -> None:
        pending = set(await self.transact(queries.pending))
        left_behind = sorted(pending & self._pending)
        for start in range(0, len(left_behind), 500):
            never_started, servers = await self._workflows.find(left_behind[start : start + 500])
            for turn in never_started:
                self._start(*turn)
            if self._cluster is not None:
                await self.recover(await self._cluster.not_alive(servers))
        self._pending = pending


def _by_id(agents: Iterable[Agent]) -> dict[str, Agent]:
    return {agent.id: agent for agent in agents}


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=2)


def _log_failure(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, EngineClosed):
        logger.error("a background task failed: %s", one_line(error))
