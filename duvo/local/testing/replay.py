"""Whether changed code still fits an unfinished turn."""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from .._database.location import locate
from .._store import queries, turns
from .._store.entries import Entry
from .._store.turns import Recorded, kind_of
from .._text import describe, one_line
from .._threads import in_agent_code
from ..agents import Agent
from ..context import RunContext
from ..errors import CallOrderError, EngineError

__tracebackhide__ = True  # pytest shows the author's code alone

_TIMEOUT = 30.0
"""Seconds for the function: what was recorded is returned at once."""


class CallsDiffer(AssertionError):
    """The code does not make the calls of `run` that were recorded.

    Attributes:
        number: which call it is, from 1; those before are the same.
        recorded: the call that was recorded.
        called: the call that the code makes instead.
    """

    def __init__(self, run_id: str, number: int, recorded: str, called: str):
        super().__init__(
            f"the code does not fit run {run_id}: its call {number} was {recorded}, "
            f"and is now {called}"
        )
        self.run_id = run_id
        self.number = number
        self.recorded = recorded
        self.called = called

    def __reduce__(self) -> tuple[type[CallsDiffer], tuple[str, int, str, str]]:
        return CallsDiffer, (self.run_id, self.number, self.recorded, self.called)


class _Run(Protocol):
    @property
    def id(self) -> str: ...


def replay(agent: Agent, database: str | os.PathLike[str], run: str | _Run) -> int:
    """Call the agent's function as the next server would, up to the end of what was recorded.

    Tools are not called, and the database is only read; an engine may use it
    meanwhile.

        replay(invoices.approver, "dev.sqlite", run)

    Args:
        agent: the agent with its new code.
        database: the SQLite file of an engine.
        run: a run that has not ended, or its whole id.

    Returns:
        The number of recorded calls of `run`, all of which the code makes.

    Raises:
        CallsDiffer: the code makes another call; the run would fail, or do things twice.
        EngineError: there is no such database, run or unfinished turn, or it is another agent's.
    """
    run_id = run if isinstance(run, str) else run.id
    with ThreadPoolExecutor(1) as thread:
        # The caller's thread may run an event loop.
        replayed = thread.submit(_replay, agent, os.fspath(database), run_id)
        try:
            return replayed.result()
        except (CallsDiffer, EngineError) as error:
            # Without the frames of that thread.
            raise error.with_traceback(None) from error.__cause__


def _replay(agent: Agent, database: str, run_id: str) -> int:
    from .._execution import event_loop, workflows

    location = locate(database)
    if location.file is None:
        raise EngineError(f"{location.shown}: replay reads SQLite files only")
    engine = _open(location.file)
    try:
        with engine.connect() as connection:
            if not queries.is_known(connection, run_id):
                raise EngineError(f"{database}: no such run: {run_id}; give the whole id")
            recorded = turns.recorded(connection, run_id)
        if recorded is None:
            raise EngineError(f"{database}: run {run_id} has no unfinished turn that has begun")
        if recorded.agent_name != agent.name:
            raise EngineError(
                f"run {run_id} is of agent {recorded.agent_name!r}, not of {agent.name!r}"
            )
        steps = workflows.recorded_steps(engine, run_id, recorded.turn)
    except sa.exc.DatabaseError as error:
        raise EngineError(f"{database}: not a usable database ({one_line(error)})") from None
    finally:
        engine.dispose()
    turn = _ReplayedTurn(run_id, recorded, steps)
    event_loop.run(turn.play(agent))
    if turn.error is not None:
        raise turn.error
    return turn.matched


def _open(file: Path) -> sa.Engine:
    if not file.is_file():
        raise EngineError(f"{file}: there is no such file; name a database of an engine")
    has_changes = file.with_name(file.name + "-wal").exists()
    # SQLite would otherwise create files beside it.
    mode = "mode=ro" if has_changes else "mode=ro&immutable=1"
    uri = f"{file.absolute().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


class _ReplayedRun(RunContext):
    _has_end = False

    def __init__(self, turn: _ReplayedTurn, run_id: str, recorded: Recorded):
        super().__init__(turn, run_id, recorded.turn, recorded)
        self._replayed = turn

    def _call(self, name: str) -> Any:
        self._replayed.number += 1
        return super()._call(name)


class _ReplayedTurn:
    """The `Turn` of a run of which only records are returned.

    Attributes:
        number: how many calls of `run` were begun.
        matched: the number of the last of them that was recorded.
        error: why the code does not fit.
    """

    def __init__(self, run_id: str, recorded: Recorded, steps: list[tuple[str, int, Any]]):
        self.number = 0
        self.matched = 0
        self.error: BaseException | None = None
        self._run_id = run_id
        self._recorded = recorded
        self._operations = deque((kind, at, None) for kind, at in recorded.operations)
        self._steps = deque(steps)

    async def play(self, agent: Agent) -> None:
        """Call the agent's function, up to the end of the records."""
        self._is_over = asyncio.Event()
        context = _ReplayedRun(self, self._run_id, self._recorded)
        task = asyncio.create_task(_call(agent, context))
        waiting = asyncio.create_task(self._is_over.wait())
        await asyncio.wait({task, waiting}, timeout=_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if self._is_over.is_set():
            return
        self._is_over.set()
        if not task.done():
            self.error = EngineError(
                f"run {self._run_id} was not replayed: within {_TIMEOUT:g} s the function "
                f"neither came to the end of what was recorded, nor returned"
            )
            return
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not (self._operations or self._steps):
            self.error = error
            return
        self.number += 1
        self._differ("the end of the function" if error is None else describe(error))
        assert self.error is not None
        self.error.__cause__ = error

    async def append(self, op: int, entry: Entry) -> None:
        await self._match(kind_of(entry), self._operations)

    async def open_request(
        self, op: int, entry: Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        await self._match(kind_of(entry), self._operations)

    async def wait_for_reply(self, request_id: str) -> str:
        if request_id not in self._recorded.replies:
            await self._stop()
        return self._recorded.replies[request_id]

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        return await self._match(name, self._steps)

    async def read_inbox(self) -> list[str]:
        texts, _ = await self._match("inbox", self._steps)
        return list(texts)

    def may_start_tool(self) -> bool:
        return False

    async def hold_failure(self) -> None: ...

    def now(self) -> float:
        # Every sleep is over.
        return math.inf

    async def sleep_until(self, moment: float) -> None: ...

    def progress(self) -> None: ...

    def fail_with(self, error: CallOrderError) -> None:
        if not self._is_over.is_set():
            self.error = error
            self._is_over.set()

    async def _match(self, name: str, records: deque[tuple[str, int, Any]]) -> Any:
        """Take the record of a call; do not return if it was not recorded."""
        await asyncio.sleep(0)
        if records and records[0][0] == name and not self._is_over.is_set():
            self.matched = self.number
            return records.popleft()[2]
        if (self._operations or self._steps) and not self._is_over.is_set():
            self._differ(_named(name))
        return await self._stop()

    def _differ(self, called: str) -> None:
        heads = [records[0] for records in (self._operations, self._steps) if records]
        name, _, _ = min(heads, key=lambda record: record[1])
        self.error = CallsDiffer(self._run_id, self.number, _named(name), called)

    async def _stop(self) -> Any:
        # Not an exception, which the agent could catch.
        self._is_over.set()
        await asyncio.Event().wait()


async def _call(agent: Agent, context: RunContext) -> None:
    in_agent_code.set(True)
    try:
        await agent.function(context)
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        raise RuntimeError(f"the agent raised {describe(error)}") from error


def _named(kind: str) -> str:
    """Return the call that an operation or a step belongs to."""
    what, _, name = kind.partition(" ")
    if kind in _CALLS:
        return f"run.{_CALLS[kind]}()"
    return f"run.tool({name!r})" if what in ("tool", "tool_call") else f"run.{what}()"


_CALLS = {
    "text": "say",
    "thinking": "think",
    "tool_call ask_question": "ask",
    "tool_call request_approval": "approval",
    "tool_result": "tool",
}
