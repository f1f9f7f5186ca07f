"""The engine's event loop: its threads are the engine's, and its end waits for nothing."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
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
"""Cancelled tasks that have not ended, kept for the rest of the process."""


def abandon(task: asyncio.Task[Any]) -> None:
    """Cancel the task, and keep it until it ends.

    A task that ignores its cancellation may never end, and must never be
    collected: it would receive `GeneratorExit`, ignore that too, and block
    whatever thread collects it.
    """
    task.cancel()
    if not task.done():
        _abandoned.add(task)
        task.add_done_callback(_abandoned.discard)


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
            loop.run_until_complete(_end_tasks())
        finally:
            loop.close()
            if asyncio.all_tasks(loop):
                _keep_abandoned()


async def _end_tasks() -> None:
    current = {asyncio.current_task()}
    tasks = asyncio.all_tasks() - current
    for task in tasks:
        abandon(task)
    if tasks:
        await asyncio.wait(tasks, timeout=_CANCEL_TIMEOUT)
    loop = asyncio.get_running_loop()
    # The agents' asynchronous generators may ignore their end too.
    await asyncio.wait({loop.create_task(loop.shutdown_asyncgens())}, timeout=_CANCEL_TIMEOUT)
    for task in asyncio.all_tasks() - current:
        abandon(task)


@functools.cache
def _keep_abandoned() -> None:
    # At its exit the interpreter collects objects of modules, but not those of threads.
    def keep(tasks: set[asyncio.Task[Any]]) -> None:
        threading.Event().wait()

    try:
        threading.Thread(target=keep, args=(_abandoned,), daemon=True).start()
    except RuntimeError:  # the interpreter is exiting
        keep(_abandoned)
