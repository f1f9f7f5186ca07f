"""Durable execution: which turns must be running, and what their tools returned.

The one file that knows DBOS. It is a single instance in each process, so there
is one engine in a process at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID
from dbos import error as dbos_error

from . import _idempotency, _reading, _turns
from ._commands import Change
from ._loggers import borrowed
from ._notifier import Notifier
from ._store import Store
from ._turn import RunningTurn
from ._turns import AgentChanged
from .agents import Agent
from .errors import EngineError

T = TypeVar("T")

logger = logging.getLogger("duvo.local")

_TIDYING = 60.0
"""Seconds between two removals of what recovery needs no longer."""

_serving: Engine | None = None


@DBOS.workflow(name="duvo_turn", max_recovery_attempts=None)
async def _turn(run_id: str, number: int) -> None:
    assert _serving is not None
    await _serving.carry_out(run_id, number)


class Engine:
    """Carries out the turns of runs, and the changes that people make to them.

    Attributes:
        agents: those whose code is here, by their ids.
        notifier: wakes who waits for a run.
        waiting_for: the names of agents that have unfinished runs and no code here.
    """

    def __init__(self, store: Store, agents: Iterable[Agent]):
        self.agents = {agent.id: agent for agent in agents}
        self.notifier = Notifier()
        self.waiting_for: tuple[str, ...] = ()
        self._store = store
        self._client: DBOSClient | None = None
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="duvo-database")
        self._turns: dict[tuple[str, int], RunningTurn] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._executions: set[asyncio.Task[Any]] = set()
        self._loggers = contextlib.ExitStack()

    @property
    def turn_count(self) -> int:
        """How many turns are carried out here now, those that wait included."""
        return len(self._turns)

    async def launch(self) -> None:
        """Go on with the turns that were left, on the running loop.

        Raises:
            EngineError: another engine runs in this process, or the database
                cannot be prepared.
        """
        global _serving
        self._loop = asyncio.get_running_loop()
        if _serving is not None:
            raise EngineError("another engine runs in this process; close it first")
        _serving = self
        # DBOS takes its logger over for the whole process.
        self._loggers.enter_context(borrowed("dbos", logging.CRITICAL))
        self._loggers.enter_context(borrowed("uvicorn.error", logging.CRITICAL))
        config = DBOSConfig(
            name="duvo-local",
            system_database_url=self._store.engine.url.render_as_string(hide_password=False),
            system_database_engine=self._store.engine,
            # The default follows the source, and leaves older runs alone for ever.
            application_version="duvo-1",
            executor_id="local",
            max_executor_threads=10,
            log_level="CRITICAL",
            # Nobody waits inside of it here; this is how long its thread outlives a close.
            notification_listener_polling_interval_sec=0.1,
        )
        try:
            DBOS(config=config)
            DBOS.launch()
            self._client = DBOSClient(system_database_engine=self._store.engine)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise EngineError(f"the engine cannot use the database: {reason}") from error
        await self._tell_what_waits()
        for run_id, number in await self.transact(_reading.accepted):
            self._start(run_id, number)
        self._spawn(self._tidy())

    async def leave(self) -> None:
        """Leave every turn as it stands, to be gone on with by the next engine."""
        leaving = {*self._executions, *self._tasks}
        for task in leaving:
            task.cancel()
        if leaving:
            await asyncio.wait(leaving, timeout=2)

    def close(self) -> None:
        """Give back what was taken from the process; after the loop was closed."""
        global _serving
        self._pool.shutdown(wait=False, cancel_futures=True)
        if _serving is not self:
            return
        try:
            if self._client is not None:
                self._client.destroy()
            DBOS.destroy(workflow_completion_timeout_sec=0)
        finally:
            self._loggers.close()
            _serving = None

    async def transact(self, work: Callable[[sa.Connection], T], *, rings: str | None = None) -> T:
        """Do the work in a transaction, then wake who waits for the run `rings`."""

        def do() -> T:
            result = self._store.transact(work)
            if rings is not None:
                # From here: the one who asked may have been cancelled meanwhile.
                self._soon(self.notifier.ring, rings)
            return result

        return await self._loop.run_in_executor(self._pool, do)

    async def change(self, work: Callable[[sa.Connection], Change]) -> Change:
        """Make a change in a transaction, and do what follows from it."""

        def do() -> Change:
            change = self._store.transact(work)
            self._soon(self._follow_up, change)
            return change

        return await self._loop.run_in_executor(self._pool, do)

    def deliver(
        self, connection: sa.Connection, run_id: str, turn: int, request_id: str, text: str
    ) -> None:
        """Hand a reply to the turn that waits for it, within the caller's transaction."""
        assert self._client is not None
        self._client.send_in_transaction(
            connection, _workflow_id(run_id, turn), text, request_id, idempotency_key=request_id
        )

    async def carry_out(self, run_id: str, number: int) -> None:
        """Carry a turn out to its end; called by DBOS, also when it recovers the turn."""
        task = asyncio.current_task()
        assert task is not None
        self._executions.add(task)
        turn = self._turns[run_id, number] = RunningTurn(self, run_id, number)
        try:
            find = functools.partial(_turns.agent_of, run_id=run_id, turn=number)
            agent_id = await self.transact(find)
            if agent_id is None:
                return
            if agent_id not in self.agents:
                await turn.park()
                return
            await turn.carry_out(self.agents[agent_id])
        except Exception as error:
            logger.error("run %s stands still until the next start: %s", run_id, error)
            # An end would be recorded, and the turn never be gone on with.
            await turn.park()
        finally:
            self._executions.discard(task)
            if self._turns.get((run_id, number)) is turn:
                del self._turns[run_id, number]

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function once, and on recovery return what it returned."""

        async def recorded() -> str:
            return json.dumps(await function())

        try:
            text = await DBOS.run_step_async({"name": name}, recorded)
        except dbos_error.DBOSUnexpectedStepError as error:
            raise AgentChanged from error
        return json.loads(text)

    async def receive(self, topic: str) -> str | None:
        """Return what was delivered to this turn under the topic."""
        try:
            text: str | None = await DBOS.recv_async(topic, timeout_seconds=0)
        except dbos_error.DBOSUnexpectedStepError as error:
            raise AgentChanged from error
        return text

    def _follow_up(self, change: Change) -> None:
        if change.run_id is None:
            return
        if change.ends_turn is not None:
            ended = self._turns.get((change.run_id, change.ends_turn))
            if ended is not None:
                ended.end()
        if change.starts_turn is not None:
            self._start(change.run_id, change.starts_turn)
        self.notifier.ring(change.run_id)

    def _start(self, run_id: str, number: int) -> None:
        async def start() -> None:
            with SetWorkflowID(_workflow_id(run_id, number)):
                await DBOS.start_workflow_async(_turn, run_id, number)

        self._spawn(start())

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("something is left for the next start: %s", error)

    def _soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)

    async def _tell_what_waits(self) -> None:
        waiting = [
            (name, count)
            for agent_id, name, count in await self.transact(_reading.unfinished)
            if agent_id not in self.agents
        ]
        self.waiting_for = tuple(sorted(name for name, _ in waiting))
        for name, count in sorted(waiting):
            runs = "1 run waits" if count == 1 else f"{count} runs wait"
            logger.warning("%s for agent %r, whose file was not given", runs, name)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDYING)
            try:
                await self._remove_what_is_past()
            except Exception as error:
                logger.error("what recovery needs no longer was not removed: %s", error)

    async def _remove_what_is_past(self) -> None:
        await self.transact(_idempotency.forget_old)
        ended = await DBOS.list_workflows_async(
            status="SUCCESS", name="duvo_turn", limit=1000, load_input=False, load_output=False
        )
        if ended:
            await DBOS.delete_workflows_async([one.workflow_id for one in ended])


def _workflow_id(run_id: str, turn: int) -> str:
    return f"{run_id}:{turn}"
