"""A tool is asked for once more in the instant before it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from duvo.local._tool_calls import NotNow, outcome

called: list[str] = []


def sync(what: str) -> str:
    called.append(what)
    return what


async def tool(what: str) -> str:
    return sync(what)


def later(what: str) -> Any:
    return tool(what)


@pytest.mark.parametrize("function", [sync, tool, later])
def test_it_is_called_when_it_may_begin(function: Callable[..., Any]) -> None:
    called.clear()
    assert asyncio.run(outcome(function, {"what": "a"}, "key", lambda: True)) == {"result": "a"}
    assert called == ["a"]


@pytest.mark.parametrize("function", [sync, tool, later])
def test_it_is_not_called_when_it_may_not(function: Callable[..., Any]) -> None:
    called.clear()
    with pytest.raises(NotNow):
        asyncio.run(outcome(function, {"what": "a"}, "key", lambda: False))
    assert called == []


def test_one_that_begins_when_it_is_awaited_is_asked_for_again_then() -> None:
    called.clear()
    answers = iter([True, False])
    with pytest.raises(NotNow):
        asyncio.run(outcome(later, {"what": "a"}, "key", lambda: next(answers)))
    assert called == []


def test_what_it_raises_is_what_came_of_it() -> None:
    def fail() -> None:
        raise LookupError("not here")

    assert asyncio.run(outcome(fail, {}, "key", lambda: True)) == {"error": "LookupError: not here"}
