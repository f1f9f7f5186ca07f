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

from .._cluster.cluster import Sharing
from .._database.database import GivenUp, Store
from .._notifier import Notifier
from .._store import idempotency, queries
from .._store.commands import Change
from .._store.turns import AgentChanged, TurnElsewhere
from .._threads import agents_code, in_thread
from .._tool_calls import NotNow
from ..agents import Agent
from ..errors import EngineError
from .group_commit import GroupCommit
from .loggers import borrowed
from .turn import RunningTurn

T = TypeVar("T")

logger = logging.getLogger("duvo.local")

_TIDYING = 60.0
"""Seconds between two removals of what recovery needs no longer."""

_SWEEPING = 5.0
"""Seconds after which a run that was accepted must have been started."""

_ALONE = "local"
"""Who the one server of a SQLite file is; a PostgreSQL database may have its turns too."""

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
        turns: those that are carried out here now.
        waiting_for: the names of agents that have unfinished runs and no code here.
    """

    def __init__(self, store: Store, agents: Iterable[Agent]):
        self.agents = {agent.id: agent for agent in agents}
        self.notifier = Notifier()
        self.waiting_for: tuple[str, ...] = ()
        self._store = store
        self._sharing: Sharing | None = None
        self._client: DBOSClient | None = None
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="duvo-database")
        self.turns: dict[tuple[str, int], RunningTurn] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starts: set[asyncio.Task[Any]] = set()
        self._executions: set[asyncio.Task[Any]] = set()
        self._loggers = contextlib.ExitStack()

    @property
    def turn_count(self) -> int:
        """How many turns are carried out here now, those that wait included."""
        return len(self.turns)

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
        self._carrying_out = asyncio.Event()
        self._commits = GroupCommit(self._store, self.ring)
        self._sharing = Sharing(self, self._store) if self._store.is_shared else None
        try:
            await self.resume(await self._sharing.join() if self._sharing else _ALONE)
            if self._sharing is not None:
                await self.recover([_ALONE])
            self._client = DBOSClient(system_database_engine=self._store.engine)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise EngineError(f"the engine cannot use the database: {reason}") from error
        await self._tell_what_waits()
        for run_id, number in await self.transact(queries.accepted):
            self._start(run_id, number)
        for task in [self._tidy(), self._sweep()]:
            self._spawn(task, self._tasks)
        if self._sharing is not None:
            for task in self._sharing.tasks():
                self._spawn(task, self._tasks)

    async def resume(self, server_id: str) -> None:
        """Carry turns out, as the server of that id."""
        config = DBOSConfig(
            name="duvo-local",
            system_database_url=self._store.engine.url.render_as_string(hide_password=False),
            system_database_engine=self._store.engine,
            # The default follows the source, and leaves older runs alone for ever.
            application_version="duvo-1",
            executor_id=server_id,
            max_executor_threads=2,
            log_level="CRITICAL",
            # Nobody waits inside of it here; this is how long its thread outlives a close.
            notification_listener_polling_interval_sec=0.1,
        )
        DBOS(config=config)
        # On the loop: turns that are recovered run on the loop that it is launched on.
        DBOS.launch()
        # Whatever it is asked, it gives the loop its threads; those of an earlier one are gone.
        await DBOS.list_workflows_async(workflow_ids=["-"])
        self._carrying_out.set()

    async def suspend(self) -> None:
        """Leave every turn as it stands, until `resume`."""
        self._carrying_out.clear()
        await _cancelled({*self._executions, *self._starts})
        await in_thread(functools.partial(DBOS.destroy, workflow_completion_timeout_sec=0))

    async def recover(self, server_ids: list[str]) -> None:
        """Take over the turns of servers that are no more."""
        await self._carrying_out.wait()
        if server_ids:
            await in_thread(functools.partial(_recover, server_ids))

    async def leave(self) -> None:
        """Leave every turn as it stands, to be gone on with by the next engine."""
        await _cancelled({*self._executions, *self._starts, *self._tasks})

    def close(self) -> None:
        """Give back what was taken from the process; after the loop was closed."""
        global _serving
        self._store.give_up()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if _serving is not self:
            return
        self._commits.close()
        try:
            if self._client is not None:
                self._client.destroy()
            DBOS.destroy(workflow_completion_timeout_sec=0)
            if self._sharing is not None:
                self._sharing.leave()
        finally:
            self._loggers.close()
            _serving = None

    async def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in a transaction."""
        return await self._in_pool(lambda: self._store.transact(work))

    async def commit(self, work: Callable[[sa.Connection], T], *, rings: str | None = None) -> T:
        """Do the work of a turn in a transaction, then wake who waits for the run `rings`.

        With `rings` it is held while another server may have taken over.
        """
        if rings is not None and self._sharing is not None:
            await self._sharing.while_in_touch()
        return await self._commits.do(work, rings)

    async def change(self, work: Callable[[sa.Connection], Change]) -> Change:
        """Make a change in a transaction, and do what follows from it."""

        def told(connection: sa.Connection) -> Change:
            change = work(connection)
            if self._sharing is not None and change.run_id is not None:
                self._sharing.tell_within(connection, change.run_id, change.ends_turn)
            return change

        def do() -> Change:
            change = self._store.transact(told, once=True)
            self.soon(self._follow_up, change)
            return change

        return await self._in_pool(do)

    async def _in_pool(self, do: Callable[[], T]) -> T:
        try:
            done = self._loop.run_in_executor(self._pool, do)
        except RuntimeError:  # the engine was closed, or the interpreter ends
            raise GivenUp from None
        return await done

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
        turn = self.turns[run_id, number] = RunningTurn(self, run_id, number)
        try:
            await turn.carry_out(self.agents)
        except (TurnElsewhere, GivenUp):
            # To return would be recorded as an end of it.
            raise asyncio.CancelledError from None
        except Exception as error:
            logger.error("run %s stands still until the next start: %s", run_id, _why(error))
            # An end would be recorded, and the turn never be gone on with.
            await turn.park()
        finally:
            self._executions.discard(task)
            if self.turns.get((run_id, number)) is turn:
                del self.turns[run_id, number]

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function once, and on recovery return what it returned."""

        async def recorded() -> str:
            while True:
                if self._sharing is not None:
                    await self._sharing.while_in_touch()
                with agents_code(True), contextlib.suppress(NotNow):
                    return json.dumps(await function())
                # Also lets a turn be cancelled that has ended.
                await asyncio.sleep(0)

        try:
            with agents_code(False):
                text = await DBOS.run_step_async({"name": name}, recorded)
        except dbos_error.DBOSUnexpectedStepError as error:
            raise AgentChanged from error
        except dbos_error.DBOSWorkflowConflictIDError as error:
            raise TurnElsewhere from error
        return json.loads(text)

    def may_begin(self) -> bool:
        """Whether no other server can carry turns of this one out; from any thread."""
        return self._sharing is None or self._sharing.is_in_touch

    async def receive(self, topic: str) -> str | None:
        """Return what was delivered to this turn under the topic."""
        try:
            with agents_code(False):
                text: str | None = await DBOS.recv_async(topic, timeout_seconds=0)
        except dbos_error.DBOSUnexpectedStepError as error:
            raise AgentChanged from error
        except dbos_error.DBOSWorkflowConflictIDError as error:
            raise TurnElsewhere from error
        return text

    def _follow_up(self, change: Change) -> None:
        if change.run_id is None:
            return
        if change.ends_turn is not None:
            ended = self.turns.get((change.run_id, change.ends_turn))
            if ended is not None:
                ended.end()
        if change.starts_turn is not None:
            self._start(change.run_id, change.starts_turn)
        self.notifier.ring(change.run_id)

    def ring(self, run_id: str) -> None:
        """Wake who waits for the run, here and at the other servers."""
        self.notifier.ring(run_id)
        if self._sharing is not None:
            self._sharing.tell(run_id)

    def _start(self, run_id: str, number: int) -> None:
        async def start() -> None:
            await self._carrying_out.wait()
            with SetWorkflowID(_workflow_id(run_id, number)):
                await DBOS.start_workflow_async(_turn, run_id, number)

        self._spawn(start(), self._starts)

    def _spawn(self, work: Any, among: set[asyncio.Task[Any]]) -> None:
        task = self._loop.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        task.add_done_callback(_told)

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the function on the loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)

    async def _tell_what_waits(self) -> None:
        waiting = [
            (name, count)
            for agent_id, name, count in await self.transact(queries.unfinished)
            if agent_id not in self.agents
        ]
        self.waiting_for = tuple(sorted(name for name, _ in waiting))
        for name, count in sorted(waiting):
            runs = "1 run waits" if count == 1 else f"{count} runs wait"
            logger.warning("%s for agent %r, whose file was not given", runs, name)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDYING)
            await self._carrying_out.wait()
            try:
                await self._remove_what_is_past()
            except Exception as error:
                logger.error("what recovery needs no longer was not removed: %s", _why(error))

    async def _sweep(self) -> None:
        before: set[tuple[str, int]] = set()
        while True:
            await asyncio.sleep(_SWEEPING)
            await self._carrying_out.wait()
            try:
                pending = set(await self.transact(queries.accepted))
                await self._start_what_was_left(sorted(pending & before))
                before = pending
            except Exception as error:
                logger.error("what was accepted was not started: %s", _why(error))

    async def _start_what_was_left(self, accepted: list[tuple[str, int]]) -> None:
        for start in range(0, len(accepted), 500):
            turns = {_workflow_id(*one): one for one in accepted[start : start + 500]}
            found = await DBOS.list_workflows_async(
                workflow_ids=list(turns), load_input=False, load_output=False
            )
            for workflow_id in turns.keys() - {one.workflow_id for one in found}:
                self._start(*turns[workflow_id])
            if self._sharing is not None:
                keepers = [one.executor_id for one in found if one.status == "PENDING"]
                await self.recover(await self._sharing.strays(filter(None, keepers)))

    async def _remove_what_is_past(self) -> None:
        await self.transact(idempotency.forget_old)
        ended = await DBOS.list_workflows_async(
            status="SUCCESS", name="duvo_turn", limit=1000, load_input=False, load_output=False
        )
        if ended:
            await DBOS.delete_workflows_async([one.workflow_id for one in ended])


def _recover(server_ids: list[str]) -> None:
    # Marked as internal, and the one such name used here: nothing public takes turns over.
    DBOS._recover_pending_workflows(server_ids)


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=2)


def _told(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, GivenUp):
        logger.error("something is left for later: %s", _why(error))


def _why(error: BaseException) -> str:
    # Not all of a database's error: it shows the statement, and what people wrote.
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _workflow_id(run_id: str, turn: int) -> str:
    return f"{run_id}:{turn}"
