"""The background work of a batch, in tasks of an event loop."""

from __future__ import annotations

import asyncio
from functools import partial

from .._flow.drivers import run_async
from .._flow.steps import Closed
from .completions import LONGEST_END, Await, Completion, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from .._flow.perform_async import AsyncDriver
    from .._flow.steps import Flow
    from .batch import Batch

    T = TypeVar("T")


class AsyncWorkers:
    """Performs the steps of a batch; the driver performs all others."""

    def __init__(self, driver: AsyncDriver, batch: Batch):
        self._driver = driver
        self._batch = batch
        self._queue: asyncio.Queue[Completion | None] = asyncio.Queue()
        self._closed = asyncio.Event()
        self._tasks: set[asyncio.Task[Completion]] = set()
        # Starts whose completions the batch has not seen.
        self._starts: dict[Spawn, asyncio.Task[Completion]] = {}

    async def prepare(self) -> None:
        """Complete the API's settings before the flow begins."""
        await self._driver.prepare()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        return await self._driver.run(flow)

    async def perform(self, step: Any, closed: asyncio.Event) -> Any:
        """Perform one step."""
        kind = type(step)
        if kind in (Spawn, Await) and closed.is_set():
            raise Closed
        if kind is Spawn:
            return self._spawn(step)
        if kind is Await:
            return await self._await(step)
        return await self._driver.perform(step, closed)

    def _spawn(self, spawn: Spawn) -> None:
        task = asyncio.ensure_future(self._work(spawn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if spawn.kind == "start":
            self._starts[spawn] = task

    async def _work(self, spawn: Spawn) -> Completion:
        spawn.begun = True
        try:
            result = await run_async(spawn.flow, partial(self._driver.perform, closed=self._closed))
            completion = Completion(spawn, result)
        except Exception as error:
            completion = Completion(spawn, error=error)
        self._queue.put_nowait(completion)
        return completion

    async def _await(self, step: Await) -> list[Completion]:
        completions = step.completions
        if step.seconds != 0.0 and not completions and self._queue.empty():
            try:
                self._record(await asyncio.wait_for(self._queue.get(), step.seconds), completions)
            except asyncio.TimeoutError:
                return completions
        elif step.seconds == 0.0:
            # Let the tasks run.
            await asyncio.sleep(0)
        while not self._queue.empty():
            self._record(self._queue.get_nowait(), completions)
        return completions

    def _record(self, completion: Completion | None, completions: list[Completion]) -> None:
        if completion is not None:
            self._starts.pop(completion.spawn, None)
            completions.append(completion)

    def interrupt(self) -> None:
        """End the work, and a pending `Await`."""
        self._closed.set()
        self._queue.put_nowait(None)

    async def finish(self) -> None:
        """End the work. Starts that were sent are still recorded, after 5 s in the background."""
        self._closed.set()
        starts = list(self._starts.values())
        for task in self._tasks.difference(starts):
            task.cancel()
        pending: set[asyncio.Task[Completion]] = set()
        if starts:
            _, pending = await asyncio.wait(starts, timeout=LONGEST_END)
        recording = asyncio.ensure_future(self._record_last(starts))
        if pending:
            self._tasks.add(recording)  # type: ignore[arg-type]
            recording.add_done_callback(self._tasks.discard)
        else:
            await asyncio.shield(recording)

    async def _record_last(self, starts: list[asyncio.Task[Completion]]) -> None:
        if starts:
            await asyncio.wait(starts)
        completions = [task.result() for task in starts if not task.cancelled()]
        await asyncio.to_thread(self._batch.finish, completions)
