"""One turn: the agent's function, called with the run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from .._clock import clock
from .._database.database import EngineClosed
from .._log import events
from .._log.tracebacks import place_of
from .._notifier import Notifier
from .._store import appending, turns
from .._store.appending import TurnEnded
from .._store.entries import Entry
from .._store.turns import AgentChanged, KillsServer, TurnTakenOver
from .._text import describe, logger
from .._threads import in_agent_code
from ..agents import Agent
from ..context import RunContext
from ..errors import CallOrderError, DatabaseReplaced
from .event_loop import abandon
from .resumed import Resumed

T = TypeVar("T")

_END_TIMEOUT = 1.0
"""Seconds that an agent's function has to end after its turn has ended."""

_MAX_REFUSED_CALLS = 10

_LEAVES_TURN_OPEN = (TurnTakenOver, EngineClosed, DatabaseReplaced, sa.exc.DBAPIError)
"""Errors after which the turn is to be recovered."""


class Executor(Protocol):
    """The part of the `Engine` that a turn uses."""

    notifier: Notifier
    resumed: Resumed
    agents: Mapping[str, Agent]

    def notify(self, run_id: str) -> None: ...
    async def commit(
        self, work: Callable[[sa.Connection], T], *, changes: str | None = None
    ) -> T: ...
    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any: ...
    def may_start_tool(self) -> bool: ...
    async def hold_failure(self) -> None: ...
    async def sleep_until(self, moment: float) -> None: ...
    async def receive(self, request_id: str) -> str | None: ...


class RunningTurn:
    """A turn that runs here; the `Turn` of its `RunContext`."""

    # Many thousands wait at a time.
    __slots__ = (
        "_agent",
        "_awaits_agent",
        "_ended",
        "_error",
        "_executor",
        "_finished",
        "_inbox",
        "_number",
        "_refused_calls",
        "_run_id",
        "_start",
        "_subscription",
        "_task",
        "is_asleep",
    )

    def __init__(self, executor: Executor, run_id: str, number: int):
        self._run_id = run_id
        self._number = number
        self._executor = executor
        self._subscription = executor.notifier.subscribe(run_id)
        self._task: asyncio.Task[Any] | None = None
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaits_agent = False
        self._ended = False
        self._error: Exception | None = None
        self._refused_calls = 0
        self.is_asleep = False

    def end(self) -> None:
        """Cancel the agent's function; nothing that it does is recorded any more."""
        self._ended = True
        if not self._finished.done():
            self._finished.set_result(None)
        if self._task is not None:
            abandon(self._task)

    async def park(self) -> None:
        """Return once the turn is ended."""
        self._finished = asyncio.get_running_loop().create_future()
        if not self._ended:
            await self._finished

    def look_for_agent(self) -> None:
        """Try again to begin, if the turn is parked because its agent was missing."""
        if self._awaits_agent and not self._finished.done():
            self._finished.set_result(None)

    def is_replaced(self) -> bool:
        """Whether the turn runs code of an agent that has been replaced or removed."""
        if self._task is None:
            return False
        return self._executor.agents.get(self._agent.id) is not self._agent

    async def run(self) -> None:
        """Call the agent's function and record how it ended; return when the turn has ended."""
        # Subscribed before the turn is read, so that no change of the run is missed.
        with contextlib.suppress(TurnEnded), self._subscription:
            await self._run()

    async def _run(self) -> None:
        while (context := await self._begin(agents := self._executor.agents)) is None:
            if agents is not self._executor.agents:
                continue
            self._awaits_agent = True
            await self.park()
            if self._ended:
                return
            self._awaits_agent = False
            self._finished = asyncio.get_running_loop().create_future()
        task = self._task
        assert task is not None
        try:
            await self._finished
            if self._ended and not task.done():
                # A function that ignores its cancellation is abandoned.
                await asyncio.wait({task}, timeout=_END_TIMEOUT)
        except asyncio.CancelledError:
            # The engine closes: the turn stays open, and the next engine recovers it.
            self.end()
            raise
        if self._ended:
            return
        if isinstance(self._error, _LEAVES_TURN_OPEN):
            raise self._error
        try:
            if self._error is not None:
                raise self._error
            returned = task.result()
        except TurnEnded:
            return
        except (Exception, asyncio.CancelledError) as error:
            await self._fail(error)
        else:
            try:
                await self._commit(turns.complete, context.end())
            except (AgentChanged, CallOrderError) as error:
                await self._fail(error)
            else:
                events.completed(self._run_id, self._agent.name, self._seconds())
                if returned is not None:
                    logger.warning(
                        "run %s: agent %s returned a value (%s), which is dropped; "
                        "say it with `await run.say(…)`",
                        self._run_id[:8],
                        self._agent.name,
                        type(returned).__name__,
                    )

    async def _fail(self, error: BaseException) -> None:
        await self.hold_failure()
        if self._ended:
            return
        reason = _reason(error)
        await self._commit(turns.fail, reason)
        events.failed(self._run_id, self._agent.name, self._seconds(), reason, error)

    def _seconds(self) -> float:
        return (appending.unix_ms() - self._start.began_at) / 1000

    async def _begin(self, agents: Mapping[str, Agent]) -> RunContext | None:
        begin = functools.partial(
            turns.begin, run_id=self._run_id, turn=self._number, agent_ids=agents
        )
        start = await self._executor.commit(begin)
        if start is None:
            return None
        self._start, self._inbox, self._agent = start, start.inbox, agents[start.agent_id]
        if start.is_new:
            self._executor.notify(self._run_id)
            events.started(self._run_id, self._agent.name, self._number, start.message)
        else:
            await self._count_resumed(start.resumed)
        context = RunContext(self, self._run_id, self._number, start)
        self._task = asyncio.create_task(call_agent(self._agent, context))
        if self._ended:
            abandon(self._task)
        self._task.add_done_callback(self._finish)
        return context

    async def _count_resumed(self, before: int) -> None:
        if before < turns.MAX_TOGETHER:
            self._executor.resumed.add(self._key)
        elif before < turns.MAX_RESUMED:
            await self._wait_until_alone()
            await self._commit(turns.count_resumed, before + 1)
        else:
            await self._fail(KillsServer())
            raise TurnEnded

    async def _wait_until_alone(self) -> None:
        waiting = asyncio.create_task(self._executor.resumed.wait_until_alone(self._key))
        try:
            await asyncio.wait({waiting, self._finished}, return_when=asyncio.FIRST_COMPLETED)
            if not self._ended:
                waiting.result()
        finally:
            waiting.cancel()
        if self._ended:
            raise TurnEnded

    @property
    def _key(self) -> tuple[str, int]:
        return self._run_id, self._number

    def progress(self) -> None:
        self._executor.resumed.progress(self._key)

    def _finish(self, task: asyncio.Task[Any]) -> None:
        # Retrieved: asyncio would complain about the exception of a function that was cancelled.
        if not task.cancelled():
            task.exception()
        if not self._finished.done():
            self._finished.set_result(None)

    # The `Turn` of the context.

    async def append(self, op: int, entry: Entry) -> None:
        if await self._is_new(op, entry):
            await self._checked(self._commit(appending.append_op, op, entry))
            self.progress()

    async def open_request(
        self, op: int, entry: Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        if await self._is_new(op, entry):
            await self._checked(self._commit(turns.open_request, op, entry, request_id, spec))
            events.asks(self._run_id, self._agent.name, request_id, spec["title"])
            self.progress()

    async def wait_for_reply(self, request_id: str) -> str:
        return await self._checked(self._wait_for_reply(request_id))

    async def _wait_for_reply(self, request_id: str) -> str:
        read = functools.partial(turns.read_reply, request_id=request_id)
        if self._start.pending_request_id == request_id:
            # It was pending when the turn was read; the subscription is older than that.
            self.progress()
            await self._subscription.wait()
        while True:
            self._subscription.clear()
            reply = await self._executor.commit(read)
            if reply is not None:
                break
            self.progress()
            await self._subscription.wait()
        return await self._executor.receive(request_id) or reply

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        await self._refuse_after_end()
        is_recorded = True

        async def call() -> Any:
            nonlocal is_recorded
            is_recorded = False
            result = await function()
            if self._ended:
                # The result of a cancelled function must not be recorded.
                raise asyncio.CancelledError
            return result

        result = await self._checked(self._executor.step(name, call))
        if not is_recorded:
            self.progress()
        return result

    def may_start_tool(self) -> bool:
        return not self._ended and self._executor.may_start_tool()

    async def hold_failure(self) -> None:
        await self._executor.hold_failure()

    def now(self) -> float:
        return clock.now()

    async def sleep_until(self, moment: float) -> None:
        self.is_asleep = True
        try:
            await self._executor.sleep_until(moment)
        finally:
            self.is_asleep = False

    async def read_inbox(self) -> list[str]:
        read = functools.partial(turns.posted_since, run_id=self._run_id, seq=self._inbox)
        texts, self._inbox = await self.step("inbox", lambda: self._executor.commit(read))
        return list(texts)

    def fail_with(self, error: CallOrderError) -> None:
        if not self._ended:
            self._error = error

    async def _is_new(self, op: int, entry: Entry) -> bool:
        # False for an operation that was recorded before the turn was recovered.
        await self._refuse_after_end()
        start = self._start
        if op > start.recorded:
            return True
        index = op - start.op
        if not 0 <= index < len(start.history) or start.history[index] != turns.kind_of(entry):
            self._error = AgentChanged()
            raise self._error
        return False

    async def _checked(self, call: Awaitable[T]) -> T:
        # Kept, because the agent's own `except` must not hide these errors.
        try:
            return await call
        except (AgentChanged, *_LEAVES_TURN_OPEN) as error:
            self._error = error
            raise

    async def _refuse_after_end(self) -> None:
        # Calls that a function makes on its way out would not be made again on recovery.
        if self._error is None and not self._ended:
            return
        self._refused_calls += 1
        if self._refused_calls > _MAX_REFUSED_CALLS:
            # A function that catches everything and retries must not block the loop.
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        raise self._error or TurnEnded

    async def _commit(self, work: Callable[..., T], *arguments: Any) -> T:
        def transact(connection: sa.Connection) -> T:
            return work(connection, self._run_id, self._number, *arguments)

        return await self._executor.commit(transact, changes=self._run_id)


async def call_agent(agent: Agent, context: RunContext) -> object:
    """Call the agent's function, and return what it returns."""
    # Set for the whole task: many thousands wait, and each `with` block costs memory.
    in_agent_code.set(True)
    try:
        return await agent.function(context)
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        if type(error).__module__.partition(".")[0] == "dbos":
            # DBOS's control errors: another server runs this turn.
            raise
        # Left as they are, these would end the engine, or the turn without a trace.
        raise RuntimeError(f"the agent raised {describe(error)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, (AgentChanged, KillsServer)):
        return str(error)
    is_cancelled = isinstance(error, asyncio.CancelledError)
    reason = "the agent's function was cancelled from within" if is_cancelled else describe(error)
    place = place_of(error)
    return f"{reason} ({place})" if place else reason
