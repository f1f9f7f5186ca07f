"""Carrying out one turn: an agent's function, called with the run."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from .._database.database import GivenUp
from .._notifier import Notifier
from .._store import appending, turns
from .._store.appending import TurnEnded
from .._store.entries import Entry
from .._store.turns import AgentChanged, TurnElsewhere
from .._text import said_by
from .._threads import in_agents_code
from ..agents import Agent
from ..context import RunContext
from ..errors import CallOrderError

T = TypeVar("T")

logger = logging.getLogger("duvo.local")

_LONGEST_END = 1.0
"""Seconds that an agent's function has to end in when its turn has ended."""

_MOST_REFUSALS = 10


class Execution(Protocol):
    """What a turn needs of the engine."""

    notifier: Notifier

    def ring(self, run_id: str) -> None:
        """Wake who waits for the run."""

    async def commit(self, work: Callable[[sa.Connection], T], *, rings: str | None = None) -> T:
        """Do the work of a turn in a transaction, then wake who waits for the run `rings`."""

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function once, and on recovery return what it returned."""

    def may_begin(self) -> bool:
        """Whether no other server can carry turns of this one out; from any thread."""

    async def receive(self, topic: str) -> str | None:
        """Return what was delivered to this turn under the topic."""


class RunningTurn:
    """One turn while it runs here.

    Attributes:
        run_id: the run's id.
        number: the turn's.
    """

    # Many thousands of them wait at a time.
    __slots__ = (
        "_bell",
        "_ended",
        "_execution",
        "_fault",
        "_first_op",
        "_inbox",
        "_job",
        "_over",
        "_past",
        "_recorded",
        "_refusals",
        "_waits_with",
        "number",
        "run_id",
    )

    def __init__(self, execution: Execution, run_id: str, number: int):
        self.run_id = run_id
        self.number = number
        self._execution = execution
        self._bell = execution.notifier.listening(run_id)
        self._recorded = 0
        self._inbox = 0
        self._past: tuple[str, ...] = ()
        self._first_op = 0
        self._ended = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusals = 0
        self._fault: Exception | None = None
        self._job: asyncio.Task[Any] | None = None
        self._waits_with: str | None = None

    def end(self) -> None:
        """Cancel the agent's function at the `await` where it stands."""
        self._ended = True
        if not self._over.done():
            self._over.set_result(None)
        if self._job is not None:
            self._job.cancel()

    async def park(self) -> None:
        """Do nothing until the turn is ended."""
        self._over = asyncio.get_running_loop().create_future()
        if not self._ended:
            await self._over

    async def carry_out(self, agents: Mapping[str, Agent]) -> None:
        """Call the agent and record how it ended; return when the turn is over."""
        try:
            # From before the turn is read on, so that no change of the run is missed.
            with self._bell:
                await self._carry_out(agents)
        except TurnEnded:
            return

    async def _carry_out(self, agents: Mapping[str, Agent]) -> None:
        context = await self._begin(agents)
        job = self._job
        if context is None or job is None:
            await self.park()
            return
        try:
            await self._over
            if self._ended and not job.done():
                # A function that takes no notice of its end is left behind.
                await asyncio.wait({job}, timeout=_LONGEST_END)
        except asyncio.CancelledError:
            # The engine closes: the turn stays as it is and is recovered by the next one.
            self.end()
            raise
        if self._ended:
            return
        if isinstance(self._fault, (TurnElsewhere, GivenUp, sa.exc.DBAPIError)):
            raise self._fault
        try:
            if self._fault is not None:
                raise self._fault
            job.result()
        except TurnEnded:
            return
        except asyncio.CancelledError:
            await self._fail("the agent's function was cancelled from within")
        except Exception as error:
            logger.debug("run %s failed", self.run_id, exc_info=error)
            await self._fail(_reason(error))
        else:
            try:
                await self._commit(turns.complete, context.end(), rings=True)
            except (AgentChanged, CallOrderError) as error:
                await self._fail(_reason(error))

    async def _begin(self, agents: Mapping[str, Agent]) -> RunContext | None:
        """Call the agent's function; None where its code is not here."""
        start = await self._commit(turns.begin, agents, rings=False)
        if start is None:
            return None
        if start.is_new:
            self._execution.ring(self.run_id)
        self._waits_with = start.waits_with
        self._recorded, self._inbox = start.recorded, start.inbox
        self._first_op, self._past = start.op, start.past
        context = RunContext(
            self,
            run_id=self.run_id,
            number=self.number,
            message=start.message,
            conversation=start.conversation,
            first_op=start.op,
        )
        self._job = asyncio.create_task(_call(agents[start.agent_id], context))
        if self._ended:
            self._job.cancel()
        self._job.add_done_callback(self._job_is_done)
        return context

    def _job_is_done(self, job: asyncio.Task[Any]) -> None:
        # Otherwise asyncio complains about what a cancelled function raised on its way out.
        if not job.cancelled():
            job.exception()
        if not self._over.done():
            self._over.set_result(None)

    async def _fail(self, reason: str) -> None:
        await self._commit(turns.fail, reason, rings=True)

    # What a RunContext asks of its turn.

    async def append(self, op: int, entry: Entry) -> None:
        if await self._is_new(op, entry):
            await self._guarded(self._commit(appending.append_op, op, entry, rings=True))

    async def open_request(
        self, op: int, entry: Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        if await self._is_new(op, entry):
            await self._guarded(
                self._commit(turns.open_request, op, entry, request_id, spec, rings=True)
            )

    async def reply_to(self, request_id: str) -> str:
        return await self._guarded(self._reply_to(request_id))

    async def _reply_to(self, request_id: str) -> str:
        read = functools.partial(turns.answer_to, request_id=request_id)
        if self._waits_with == request_id:
            # It was open when the turn was read, and whatever came since has rung.
            await self._bell.wait()
        while True:
            self._bell.clear()
            answer = await self._execution.commit(read)
            if answer is not None:
                break
            await self._bell.wait()
        return await self._execution.receive(request_id) or answer

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        await self._refuse_when_ended()

        async def while_it_lasts() -> Any:
            result = await function()
            if self._ended:
                # What came of being cancelled is no result, and must not be recorded as one.
                raise asyncio.CancelledError
            return result

        return await self._guarded(self._execution.step(name, while_it_lasts))

    def may_begin(self) -> bool:
        return not self._ended and self._execution.may_begin()

    async def read_inbox(self) -> list[str]:
        async def read() -> list[Any]:
            texts, seq = await self._execution.commit(
                functools.partial(turns.posted_since, run_id=self.run_id, seq=self._inbox)
            )
            return [texts, seq]

        texts, self._inbox = await self.step("inbox", read)
        return list(texts)

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - time.time())

    def unix_time(self) -> float:
        return time.time()

    def give_up(self, error: CallOrderError) -> None:
        if not self._ended:
            self._fault = error

    async def _is_new(self, op: int, entry: Entry) -> bool:
        """Whether the agent does this for the first time."""
        await self._refuse_when_ended()
        if op > self._recorded:
            return True
        at = op - self._first_op
        if not 0 <= at < len(self._past) or self._past[at] != turns.kind_of(entry):
            self._fault = AgentChanged()
            raise self._fault
        return False

    async def _guarded(self, call: Awaitable[T]) -> T:
        # The agent's own `except` must not hide these: nothing of the turn is right after them.
        try:
            return await call
        except (AgentChanged, TurnElsewhere, GivenUp, sa.exc.DBAPIError) as error:
            self._fault = error
            raise

    async def _refuse_when_ended(self) -> None:
        # What a function does on its way out is no part of what it does when it goes on.
        if self._fault is not None:
            await self._slow_down()
            raise self._fault
        if self._ended:
            await self._slow_down()
            raise TurnEnded

    async def _slow_down(self) -> None:
        # A function that catches everything and tries again must not keep the loop.
        self._refusals += 1
        if self._refusals > _MOST_REFUSALS:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def _commit(self, work: Callable[..., T], *arguments: Any, rings: bool) -> T:
        def on(connection: sa.Connection) -> T:
            return work(connection, self.run_id, self.number, *arguments)

        return await self._execution.commit(on, rings=self.run_id if rings else None)


async def _call(agent: Agent, context: RunContext) -> None:
    # To the end of this task, so with no block that many thousands of waiting turns would hold.
    in_agents_code.set(True)
    try:
        await agent.function(context)
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        if type(error).__module__.partition(".")[0] == "dbos":
            # Its word that this turn goes on elsewhere.
            raise
        # Left alone, these would end the whole engine, or the turn without a word.
        raise RuntimeError(f"the agent raised {said_by(error)}") from error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AgentChanged) else said_by(error)
