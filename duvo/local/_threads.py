"""Threads for what takes its time, an agent's own kept apart from the engine's."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop

in_agents_code: ContextVar[bool] = ContextVar("duvo_in_agents_code", default=False)
"""Whether what runs in this task is an agent's code, and not the engine's."""


@contextlib.contextmanager
def agents_code(runs: bool) -> Iterator[None]:
    """Say whether it is an agent's code that runs in this task while the block lasts."""
    token = in_agents_code.set(runs)
    try:
        yield
    finally:
        in_agents_code.reset(token)


_MOST = 200
"""Threads of agents at a time, beside those of their sync tools."""


class EngineLoop(_Loop):
    """An event loop whose own threads are the engine's; an agent gets others."""

    def __init__(self) -> None:
        super().__init__()
        self._agents_threads = asyncio.Semaphore(_MOST)

    def run_in_executor(  # type: ignore[override]  # where Python has no TypeVarTuple
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call the function in a thread: of the executor, or where none is named, one of ours."""
        if executor is None and in_agents_code.get():
            # The engine's are few, and agents that block in all of them would stop every run.
            return self.create_task(self._in_thread(functools.partial(func, *args)))
        return super().run_in_executor(executor, func, *args)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        async with self._agents_threads:
            result: T = await in_thread(function)
            return result


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call a function that takes its time, and return what it returned."""
    # A thread of its own, not one of a pool: a tool that hangs keeps neither the
    # engine's own work nor the interpreter's exit waiting.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            done.set_exception(error)
        else:
            done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    def call() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the engine was closed meanwhile

    threading.Thread(target=call, name="duvo-tool", daemon=True).start()
    return await done
