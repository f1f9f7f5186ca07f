"""A tool is called only if it may start, and its failure is its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from duvo.local._tool_calls import Postponed, call_tool

called: list[str] = []


def sync(what: str) -> str:
    called.append(what)
    return what


async def tool(what: str) -> str:
    return sync(what)


def returns_coroutine(what: str) -> Any:
    return tool(what)


@pytest.mark.parametrize("function", [sync, tool, returns_coroutine])
def test_a_tool_that_may_start_is_called(function: Callable[..., Any]) -> None:
    called.clear()
    assert asyncio.run(call_tool(function, {"what": "a"}, "key", lambda: True)) == {"result": "a"}
    assert called == ["a"]


@pytest.mark.parametrize("function", [sync, tool, returns_coroutine])
def test_a_tool_that_may_not_start_is_postponed(function: Callable[..., Any]) -> None:
    called.clear()
    with pytest.raises(Postponed):
        asyncio.run(call_tool(function, {"what": "a"}, "key", lambda: False))
    assert called == []


def test_a_returned_coroutine_is_awaited_only_if_the_tool_may_still_start() -> None:
    called.clear()
    answers = iter([True, False])
    with pytest.raises(Postponed):
        asyncio.run(call_tool(returns_coroutine, {"what": "a"}, "key", lambda: next(answers)))
    assert called == []


def test_an_exception_of_a_tool_is_returned_as_text() -> None:
    def fail() -> None:
        raise LookupError("not here")

    result = asyncio.run(call_tool(fail, {}, "key", lambda: True))
    assert result == {"error": "LookupError: not here"}


async def cancelled_from_within() -> Any:
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    return await task


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def returns_cancelled() -> Any:
    return cancelled_from_within()


@pytest.mark.parametrize("function", [cancelled_from_within, cancels_itself, returns_cancelled])
def test_a_cancellation_within_a_tool_is_its_failure(function: Callable[..., Any]) -> None:
    errors: list[BaseException] = []

    async def main() -> dict[str, Any]:
        return await call_tool(function, {}, "key", lambda: True, errors.append)

    assert asyncio.run(main()) == {"error": "CancelledError: the tool was cancelled from within"}
    assert [type(error) for error in errors] == [asyncio.CancelledError]


@pytest.mark.parametrize("ends_with", [None, LookupError("not here")])
def test_a_cancelled_call_ends_after_the_tool_has_ended(ends_with: Exception | None) -> None:
    async def tool() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            called.append("cleaned up")
            if ends_with:
                raise ends_with from None

    async def main() -> None:
        call = asyncio.create_task(call_tool(tool, {}, "key", lambda: True))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert called == ["cleaned up"]

    called.clear()
    asyncio.run(main())


user: ContextVar[str] = ContextVar("user", default="nobody")


def change_user() -> str:
    before = user.get()
    user.set("changed")
    return before


async def change_user_async() -> str:
    return change_user()


def return_coroutine() -> Any:
    return change_user_async()


@pytest.mark.parametrize("function", [change_user, change_user_async, return_coroutine])
def test_a_tool_receives_a_copy_of_the_context_variables(function: Callable[..., Any]) -> None:
    async def main() -> None:
        user.set("alice")
        assert await call_tool(function, {}, "key", lambda: True) == {"result": "alice"}
        assert user.get() == "alice"

    asyncio.run(main())
