"""Calls of an agent's tools: arguments and results as JSON, failures as text."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

from ._text import describe, storable_json
from ._threads import in_thread

V = TypeVar("V", covariant=True)


class _List(Protocol[V]):
    """A list, of whatever JSON keeps; not a tuple, which becomes a list."""

    def __iter__(self) -> Iterator[V]: ...
    def reverse(self) -> None: ...


class _Dict(Protocol[V]):
    """A dict with keys of text; others become text."""

    def items(self) -> Iterable[tuple[str, V]]: ...
    def popitem(self) -> tuple[str, V]: ...


JSON: TypeAlias = "bool | int | float | str | _List[JSON] | _Dict[JSON] | None"
"""The values that JSON keeps."""

J = TypeVar("J", bound=JSON)


class Postponed(Exception):
    """The tool was not called: another server may be calling it."""


def json_object(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool's arguments as JSON gives them back."""
    try:
        encoded = json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the arguments of a tool must be a JSON object: {error}") from error
    decoded: dict[str, Any] = storable_json(json.loads(encoded))
    return decoded


async def call_tool(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    key: str,
    may_start: Callable[[], bool],
    on_error: Callable[[BaseException], object] = lambda error: None,
) -> dict[str, Any]:
    """Call the tool, sync or async, and return `{"result": …}` or `{"error": text}`.

    `on_error` is called with the exception that the text describes.
    `may_start` is called immediately before, from any thread. If it returns
    False, the tool is not called, and `Postponed` is raised.
    """
    keywords = dict(arguments)

    def start() -> Any:
        # The process may have been frozen since the last check.
        if not may_start():
            raise Postponed
        return function(**keywords)

    async def call() -> dict[str, Any]:
        try:
            if _takes_key(function):
                keywords["idempotency_key"] = key
            if inspect.iscoroutinefunction(function):
                result = await start()
            else:
                result = await in_thread(start)
                if inspect.iscoroutine(result) and not may_start():
                    result.close()
                    raise Postponed
                if inspect.isawaitable(result):
                    result = await result
            return {"result": storable_json(json.loads(json.dumps(result, allow_nan=False)))}
        except (asyncio.CancelledError, Postponed):
            raise
        except BaseException as error:
            on_error(error)
            return {"error": describe(error)}

    # In a task of its own, a cancellation from within differs from the caller's.
    task = asyncio.create_task(call())
    await _wait(task)
    try:
        return task.result()
    except asyncio.CancelledError as error:
        on_error(error)
        return {"error": "CancelledError: the tool was cancelled from within"}


async def _wait(task: asyncio.Task[Any]) -> None:
    """Wait until the task has ended; if cancelled meanwhile, cancel the task too."""
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
            task.cancel()
    if is_cancelled:
        if not task.cancelled():
            # Retrieved, or asyncio would complain.
            task.exception()
        raise asyncio.CancelledError


def _takes_key(function: Callable[..., Any]) -> bool:
    try:
        return "idempotency_key" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
