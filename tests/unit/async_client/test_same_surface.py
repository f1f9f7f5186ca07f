"""The async client offers what the blocking one does, under the same names."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import duvo
from duvo._async.agents import AsyncAgents
from duvo._async.runs import AsyncRuns
from duvo._async.teams import AsyncTeams
from duvo._resources.agents import Agents
from duvo._resources.runs import Runs
from duvo._resources.teams import Teams

RENAMED = {"close": "aclose", "team_id": "find_team_id"}
"""Names of the blocking client that must be awaited, and so have a name of their own."""

BLOCKING_ONLY = {("map", "executor")}
"""Arguments, by method, that only the blocking client has."""

PROGRAM = Path(__file__).parents[2] / "typing" / "async_client.py"

CLOSING = {"aclose"}
"""What `async with` calls."""

PROTOCOLS = {
    "__iter__": "__aiter__",
    "__next__": "__anext__",
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
}
"""Methods that `for` and `with` call, and those that `async for` and `async with` call."""

ASYNC_NAMES = sorted(name for name in duvo.__all__ if name.startswith("Async"))

CLASSES = [
    *(
        (getattr(duvo, name.removeprefix("Async")), getattr(duvo, name))
        for name in ASYNC_NAMES
        if isinstance(getattr(duvo, name), type)
    ),
    (Agents, AsyncAgents),
    (Runs, AsyncRuns),
    (Teams, AsyncTeams),
]
PAIRS = [pytest.param(*pair, id=pair[0].__name__) for pair in CLASSES]


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def arguments(cls: type, method: str) -> dict[str, tuple[object, object]]:
    """The kind and the default of each argument."""
    parameters = inspect.signature(getattr(cls, method)).parameters
    return {name: (parameter.kind, parameter.default) for name, parameter in parameters.items()}


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_the_type_checked_program_uses_every_public_name(
    blocking: type, asynchronous: type
) -> None:
    program = ast.parse(PROGRAM.read_text())
    used = {node.attr for node in ast.walk(program) if isinstance(node, ast.Attribute)}
    assert public(asynchronous) - CLOSING <= used


def test_every_class_of_the_client_is_compared() -> None:
    assert {"AsyncClient", "AsyncRun", "AsyncMessages", "AsyncWatch"} <= set(ASYNC_NAMES)


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_both_clients_have_the_same_public_names(blocking: type, asynchronous: type) -> None:
    expected = {RENAMED.get(name, name) for name in public(blocking)}
    assert public(asynchronous) == expected


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_no_class_can_be_used_both_with_and_without_await(
    blocking: type, asynchronous: type
) -> None:
    with_await = {name for name in dir(asynchronous) if name in PROTOCOLS.values()}
    without = {name for name in dir(blocking) if name in PROTOCOLS}
    assert {PROTOCOLS[name] for name in without} == with_await
    assert not with_await & set(dir(blocking))
    assert not without & set(dir(asynchronous))
    for method in public(blocking) & public(asynchronous):
        assert not inspect.iscoroutinefunction(getattr(blocking, method)), method


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_both_clients_take_the_same_arguments(blocking: type, asynchronous: type) -> None:
    for method in public(blocking) & public(asynchronous):
        if not inspect.isfunction(getattr(blocking, method)):
            continue
        expected = arguments(blocking, method)
        for argument in [name for where, name in BLOCKING_ONLY if where == method]:
            expected.pop(argument)
        assert arguments(asynchronous, method) == expected, method


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_the_clients_are_built_from_the_same_arguments(blocking: type, asynchronous: type) -> None:
    assert arguments(asynchronous, "__init__") == arguments(blocking, "__init__")
