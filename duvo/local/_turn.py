"""Carrying out one turn: an agent's function, called with the run."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from . import _appending, _turns
from ._appending import TurnEnded
from ._entries import Entry
from ._notifier import Notifier
from ._turns import AgentChanged
from .agents import Agent
from .context import RunContext
from .errors import CallOrderError

T = TypeVar("T")

logger = logging.getLogger("duvo.local")


class Execution(Protocol):
    """What a turn needs of the engine."""

    notifier: Notifier

    async def transact(self, work: Callable[[sa.Connection], T], *, rings: str | None = None) -> T:
        """Do the work in a transaction, then wake who waits for the run `rings`."""

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function once, and on recovery return what it returned."""

    async def receive(self, topic: str) -> str | None:
        """Return what was delivered to this turn under the topic."""


class RunningTurn:
    """One turn while it runs here.

    Attributes:
        run_id: the run's id.
        number: the turn's.
    """

    def __init__(self, execution: Execution, run_id: str, number: int):
        self.run_id = run_id
        self.number = number
        self._execution = execution
        self._recorded = 0
        self._inbox = 0
        self._ended = False
        self._job: asyncio.Task[Any] | None = None

    def end(self) -> None:
        """Cancel the agent's function at the `await` where it stands."""
        self._ended = True
        if self._job is not None:
            self._job.cancel()

    async def park(self) -> None:
        """Do nothing until the turn is ended, for want of the agent's code."""
        self._job = asyncio.create_task(asyncio.Event().wait())
        if self._ended:
            self._job.cancel()
        try:
            await asyncio.wait({self._job})
        finally:
            self._job.cancel()

    async def carry_out(self, agent: Agent) -> None:
        """Call the agent and record how it ended; return when the turn is over."""
        try:
            await self._carry_out(agent)
        except TurnEnded:
            return

    async def _carry_out(self, agent: Agent) -> None:
        start = await self._transact(_turns.begin, rings=True)
        self._recorded, self._inbox = start.recorded, start.inbox
        context = RunContext(
            self,
            run_id=self.run_id,
            number=self.number,
            message=start.message,
            conversation=start.conversation,
            first_op=start.op,
        )
        self._job = asyncio.create_task(_call(agent, context))
        if self._ended:
            self._job.cancel()
        self._job.add_done_callback(_looked_at)
        try:
            await asyncio.wait({self._job})
        except asyncio.CancelledError:
            # The engine closes: the turn stays as it is and is recovered by the next one.
            self.end()
            raise
        if self._ended:
            return
        try:
            self._job.result()
        except TurnEnded:
            return
        except asyncio.CancelledError:
            await self._fail("the agent's function was cancelled from within")
        except Exception as error:
            logger.debug("run %s failed", self.run_id, exc_info=error)
            await self._fail(_reason(error))
        else:
            try:
                await self._transact(_turns.complete, context.end(), rings=True)
            except (AgentChanged, CallOrderError) as error:
                await self._fail(_reason(error))

    async def _fail(self, reason: str) -> None:
        await self._transact(_turns.fail, reason, rings=True)

    # What a RunContext asks of its turn.

    async def append(self, op: int, entry: Entry) -> None:
        self._refuse_when_ended()
        if op > self._recorded:
            await self._transact(_appending.append_op, op, entry, rings=True)

    async def open_request(
        self, op: int, entry: Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        self._refuse_when_ended()
        if op > self._recorded:
            await self._transact(_turns.open_request, op, entry, request_id, spec, rings=True)

    async def reply_to(self, request_id: str) -> str:
        with self._execution.notifier.listening(self.run_id) as bell:
            while True:
                bell.clear()
                answer = await self._execution.transact(
                    functools.partial(_turns.answer_to, request_id=request_id)
                )
                if answer is not None:
                    break
                await bell.wait()
        return await self._execution.receive(request_id) or answer

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        self._refuse_when_ended()
        return await self._execution.step(name, function)

    async def read_inbox(self) -> list[str]:
        async def read() -> list[Any]:
            texts, seq = await self._execution.transact(
                functools.partial(_turns.posted_since, run_id=self.run_id, seq=self._inbox)
            )
            return [texts, seq]

        texts, self._inbox = await self.step("inbox", read)
        return list(texts)

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - time.time())

    def unix_time(self) -> float:
        return time.time()

    def _refuse_when_ended(self) -> None:
        # What a function does on its way out is no part of what it does when it goes on.
        if self._ended:
            raise TurnEnded

    async def _transact(self, work: Callable[..., T], *arguments: Any, rings: bool) -> T:
        def on(connection: sa.Connection) -> T:
            return work(connection, self.run_id, self.number, *arguments)

        return await self._execution.transact(on, rings=self.run_id if rings else None)


async def _call(agent: Agent, context: RunContext) -> None:
    try:
        await agent.function(context)
    except (SystemExit, KeyboardInterrupt) as error:
        # Left alone, these would end the whole engine.
        raise RuntimeError(f"the agent raised {type(error).__name__}") from error


def _looked_at(job: asyncio.Task[Any]) -> None:
    # Otherwise asyncio complains about what a cancelled function raised on its way out.
    if not job.cancelled():
        job.exception()


def _reason(error: Exception) -> str:
    text = str(error).replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(error, AgentChanged):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
