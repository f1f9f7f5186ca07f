"""Threads for blocking calls, and whether the current task runs an agent's code."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

from ._text import describe

in_agent_code: ContextVar[bool] = ContextVar("duvo_in_agent_code", default=False)
"""Whether the current task runs an agent's code rather than the engine's."""


@contextlib.contextmanager
def agent_code(value: bool) -> Iterator[None]:
    """Set `in_agent_code` inside the block."""
    token = in_agent_code.set(value)
    try:
        yield
    finally:
        in_agent_code.reset(token)


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call the blocking function in a new thread, in a copy of the current context."""
    # Not a pool's thread: a tool that hangs must delay neither the engine's own work nor the
    # interpreter's exit.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            done.set_exception(error)
        else:
            wrapped = RuntimeError(describe(error))
            wrapped.__cause__ = error
            done.set_exception(wrapped)

    def call() -> None:
        result, failure = None, None
        try:
            result = context.run(function)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=call, name="duvo-tool", daemon=True).start()
    return await done
