"""The background work of a batch, in tasks of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import CancelledError
from functools import partial

from .._flow.asyncio_tasks import Closing
from .._flow.drivers import run_async
from .._flow.steps import Block, Closed
from .completions import LONGEST_END, Await, Completion, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from .._flow.perform_async import AsyncDriver
    from .._flow.steps import Flow
    from .batch import Batch

    T = TypeVar("T")

_AT_ONCE = 8

_endings: set[asyncio.Task[None]] = set()
"""Tasks that record the last starts of batches that were abandoned."""


class AsyncWorkers:
    """Performs the steps of a batch; the driver performs all others."""

    def __init__(self, driver: AsyncDriver, batch: Batch):
        self._driver = driver
        self._batch = batch
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._completed: deque[Completion] = deque()
        self._woken = asyncio.Event()
        self._closed = Closing()
        self._tasks: dict[asyncio.Task[Completion], Spawn] = {}
        # Starts whose completions the batch has not seen.
        self._starts: dict[Spawn, asyncio.Task[Completion]] = {}
        self._block: Block | None = None

    async def prepare(self) -> None:
        """Complete the API's settings before the flow begins."""
        await self._driver.prepare()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        return await self._driver.run(flow)

    async def perform(self, step: Any, closed: Closing) -> Any:
        """Perform one step."""
        kind = type(step)
        if kind in (Spawn, Await) and closed.is_set():
            raise Closed
        if kind is Spawn:
            return self._spawn(step)
        if kind is Await:
            return await self._await(step)
        if kind is Block:
            self._block = step
        return await self._driver.perform(step, closed)

    def _spawn(self, spawn: Spawn) -> None:
        task = asyncio.ensure_future(self._work(spawn))
        self._tasks[task] = spawn
        task.add_done_callback(self._tasks.pop)
        if spawn.kind == "start":
            self._starts[spawn] = task

    async def _work(self, spawn: Spawn) -> Completion:
        # A decision may take long, and must not delay other work.
        is_unlimited = spawn.kind == "reply"
        async with contextlib.nullcontext() if is_unlimited else self._turns:
            spawn.begun = True
            try:
                perform = partial(self._driver.perform, closed=self._closed)
                completion = Completion(spawn, await run_async(spawn.flow, perform))
            except Exception as error:
                completion = Completion(spawn, error=error)
        self._completed.append(completion)
        self._woken.set()
        return completion

    async def _await(self, step: Await) -> list[Completion]:
        if step.seconds == 0.0:
            # Nothing waits here: let the tasks have their turn.
            await asyncio.sleep(0)
        elif not step.completions and not self._completed:
            self._woken.clear()
            if step.seconds is None:
                await self._woken.wait()
            else:
                clock = self._driver.api.clock
                step.ends = step.ends or clock.now() + step.seconds
                await clock.sleep_async(step.ends - clock.now(), self._woken)
        while self._completed:
            completion = self._completed.popleft()
            self._starts.pop(completion.spawn, None)
            step.completions.append(completion)
        return step.completions

    def interrupt(self) -> None:
        """End the work, and a pending `Await`."""
        self._closed.set()
        self._woken.set()

    async def finish(self) -> None:
        """End the work. Starts that were sent are still recorded, after 5 s in the background."""
        # A task of its own: when the calling task is cancelled, it continues.
        ending = self._begin_end()
        await asyncio.wait({ending}, timeout=LONGEST_END)
        if ending.done():
            ending.result()

    def abandon(self) -> None:
        """End the work without waiting, from any thread. Starts that were sent stay in doubt."""
        loop = self._driver.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._abandon)

    def _abandon(self) -> None:
        self._closed.set()
        never_begun = [self._cancelled(spawn) for spawn in self._starts if not spawn.begun]
        self._cancel_all_but_sent()
        # Not as a task: the loop may be at its end, and would complain about it.
        asyncio.get_running_loop().run_in_executor(None, self._batch.finish, never_begun)

    def _begin_end(self) -> asyncio.Task[None]:
        self._closed.set()
        ending = asyncio.ensure_future(self._end())
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
        return ending

    async def _end(self) -> None:
        starts = dict(self._starts)
        self._cancel_all_but_sent()
        # The journal is closed when nothing writes to it any more.
        writing = {self._block.task} if self._block is not None and self._block.task else set()
        if pending := {*starts.values(), *writing}:
            await asyncio.wait(pending)
        completions = [
            self._cancelled(spawn) if task.cancelled() else task.result()
            for spawn, task in starts.items()
            # One that was sent, and cancelled from outside, stays in doubt.
            if not (task.cancelled() and spawn.begun)
        ]
        await asyncio.to_thread(self._batch.finish, completions)

    def _cancel_all_but_sent(self) -> None:
        self._batch.drop_inputs()
        for task, spawn in self._tasks.items():
            if spawn.kind != "start" or not spawn.begun:
                task.cancel()

    def _cancelled(self, spawn: Spawn) -> Completion:
        return Completion(spawn, error=CancelledError())
