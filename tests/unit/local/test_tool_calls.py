"""A tool is called only if it may start, and its failure is its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
