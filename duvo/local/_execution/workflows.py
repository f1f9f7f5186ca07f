"""Durable workflows on DBOS: which turns must run, and what their steps returned.

The only module that uses DBOS, of which there is one instance in a process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID
from dbos import error as dbos_error

from .._store.turns import AgentChanged, TurnTakenOver
from .._threads import agent_code, in_thread
from ..errors import EngineError

_current: Workflows | None = None


@DBOS.workflow(name="duvo_turn", max_recovery_attempts=None)
async def _turn(run_id: str, number: int) -> None:
    assert _current is not None
    await _current.run_turn(run_id, number)


class Workflows:
    """The workflows of this process's engine; `run_turn` runs each to its end."""

    def __init__(self, engine: sa.Engine, run_turn: Callable[[str, int], Awaitable[None]]):
        self.run_turn = run_turn
        self._engine = engine
        self._loggers = contextlib.ExitStack()
        self._client: DBOSClient | None = None

    @property
    def is_claimed(self) -> bool:
        """Whether this process's DBOS is this engine's."""
        return _current is self

    def claim(self) -> None:
        """Claim this process's DBOS and the loggers of libraries."""
        global _current
        if _current is not None:
            raise EngineError("another engine runs in this process; close it first")
        _current = self
        # DBOS takes over its logger for the whole process.
        self._loggers.enter_context(_silenced("dbos"))
        self._loggers.enter_context(_silenced("uvicorn.error"))

    async def launch(self, server_id: str) -> None:
        """Run turns on the running loop, as the server with that id; recover its own."""
        config = DBOSConfig(
            name="duvo-local",
            system_database_url=self._engine.url.render_as_string(hide_password=False),
            system_database_engine=self._engine,
            # By default a hash of the source: turns of another version are never recovered.
            application_version="duvo-1",
            executor_id=server_id,
            max_executor_threads=2,
            log_level="CRITICAL",
            # Nothing waits in DBOS; after a close its thread lives on for this long.
            notification_listener_polling_interval_sec=0.1,
        )
        DBOS(config=config)
        DBOS.launch()
        # Any call would do: the first one makes DBOS's threads the loop's default executor, in
        # place of those of an earlier launch.
        await DBOS.list_workflows_async(workflow_ids=["-"])
        if self._client is None:
            self._client = DBOSClient(system_database_engine=self._engine)

    async def suspend(self) -> None:
        """Stop until the next launch; turns that have not ended stay to be recovered."""
        await in_thread(functools.partial(DBOS.destroy, workflow_completion_timeout_sec=0))

    def close(self) -> None:
        """Stop for good, and let another engine run in this process."""
        global _current
        try:
            if self._client is not None:
                self._client.destroy()
            DBOS.destroy(workflow_completion_timeout_sec=0)
        finally:
            self._loggers.close()
            _current = None

    async def start(self, run_id: str, number: int) -> None:
        """Start a turn; does nothing if it has been started."""
        with SetWorkflowID(_workflow_id(run_id, number)):
            await DBOS.start_workflow_async(_turn, run_id, number)

    async def recover(self, server_ids: list[str]) -> None:
        """Take over the turns of the servers."""
        # Internal to DBOS, and the only such name used: its public API takes over no turns.
        await in_thread(functools.partial(DBOS._recover_pending_workflows, server_ids))

    async def find(
        self, turns: Sequence[tuple[str, int]]
    ) -> tuple[list[tuple[str, int]], set[str]]:
        """Return which of the turns were never started, and the servers that run the others."""
        by_id = {_workflow_id(*turn): turn for turn in turns}
        found = await DBOS.list_workflows_async(
            workflow_ids=list(by_id), load_input=False, load_output=False
        )
        servers = {w.executor_id for w in found if w.status == "PENDING" and w.executor_id}
        for workflow in found:
            del by_id[workflow.workflow_id]
        return list(by_id.values()), servers

    async def delete_ended(self) -> None:
        """Delete what was recorded of ended turns."""
        ended = await DBOS.list_workflows_async(
            status="SUCCESS", name="duvo_turn", limit=1000, load_input=False, load_output=False
        )
        if ended:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in ended])

    async def step(self, name: str, function: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Call the function and record its result; on recovery return the record."""
        with agent_code(False), _own_errors():
            return await DBOS.run_step_async({"name": name}, function)

    def send(
        self, connection: sa.Connection, run_id: str, number: int, topic: str, text: str
    ) -> None:
        """Send the text to a turn when the connection's transaction is committed."""
        assert self._client is not None
        self._client.send_in_transaction(
            connection, _workflow_id(run_id, number), text, topic, idempotency_key=topic
        )

    async def receive(self, topic: str) -> str | None:
        """Return what was sent to the current turn under that topic."""
        with agent_code(False), _own_errors():
            text: str | None = await DBOS.recv_async(topic, timeout_seconds=0)
            return text


def recorded_steps(engine: sa.Engine, run_id: str, number: int) -> list[tuple[str, int, Any]]:
    """Return a turn's steps in order: name, time in ms, result. Changes nothing."""
    with _silenced("dbos"):
        client = DBOSClient(system_database_engine=engine, lazy=True)
        try:
            steps = client.list_workflow_steps(_workflow_id(run_id, number))
        finally:
            client.destroy()
    return [
        (step["function_name"], step["completed_at_epoch_ms"] or 0, json.loads(step["output"]))
        for step in steps
        if not step["function_name"].startswith("DBOS.") and step["output"] is not None
    ]


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    # Restored afterwards: level, handlers, filters and propagation.
    log = logging.getLogger(name)
    handlers, filters = list(log.handlers), list(log.filters)
    level, propagate = log.level, log.propagate
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler in log.handlers:
            if handler not in handlers:
                handler.close()
        log.handlers[:], log.filters[:] = handlers, filters
        log.setLevel(level)
        log.propagate = propagate


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except dbos_error.DBOSUnexpectedStepError as error:
        raise AgentChanged from error
    except dbos_error.DBOSWorkflowConflictIDError as error:
        raise TurnTakenOver from error


def _workflow_id(run_id: str, number: int) -> str:
    return f"{run_id}:{number}"
