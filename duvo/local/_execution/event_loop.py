"""The engine's event loop: its threads are the engine's, and its end waits for nothing."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from .._threads import in_agent_code, in_thread

T = TypeVar("T")

if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop

_MAX_AGENT_THREADS = 200
"""Threads of agents at a time, beside those of their sync tools."""

_CANCEL_TIMEOUT = 0.5
"""Seconds that cancelled tasks have to end."""

_abandoned: set[asyncio.Task[Any]] = set()
"""Tasks that ignored their cancellation; kept, since asyncio complains when one is collected."""


class EngineLoop(_Loop):
    """An event loop that runs an agent's blocking calls in threads of their own.

    The engine's own threads are few: agents that block in all of them would
    stop every run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._agent_threads = asyncio.Semaphore(_MAX_AGENT_THREADS)

    def run_in_executor(  # type: ignore[override]  # where Python has no TypeVarTuple
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call the function in the executor, or by default in one of the loop's threads."""
        if executor is None and in_agent_code.get():
            return self.create_task(self._in_agent_thread(functools.partial(func, *args)))
        return super().run_in_executor(executor, func, *args)

    async def _in_agent_thread(self, function: Callable[[], T]) -> T:
        async with self._agent_threads:
            result: T = await in_thread(function)
            return result


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run like `asyncio.run`, but abandon tasks that ignore their cancellation."""
    loop = EngineLoop()
    # Launching DBOS on the loop takes a while.
    loop.slow_callback_duration = 2.0
    try:
        loop.run_until_complete(work)
    finally:
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                _, running = loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_TIMEOUT))
                _abandoned.update(running)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
