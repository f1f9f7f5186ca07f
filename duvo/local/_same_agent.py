"""Which agents are one, though the file that defines them was run more than once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable

from .agents import Agent
from .errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


def together(given: Iterable[Agent], examples: bool) -> tuple[Agent, ...]:
    """What a server serves of the given agents, and with the built-in ones if asked.

    Raises:
        EngineError: one is no agent, or two have one name.
    """
    given = list(given)
    for one in given:
        if not isinstance(one, Agent):
            raise EngineError(f"{one!r} is no agent; decorate an async function with @agent(name)")
    agents = by_name(given)
    if examples:
        from .examples import EXAMPLES

        for one in EXAMPLES:
            # An agent of the user's replaces the example that has its name.
            agents.setdefault(one.name, one)
    return tuple(agents.values())


def by_name(given: Iterable[Agent]) -> dict[str, Agent]:
    """The agents, each once, in their order.

    Raises:
        EngineError: two of them have one name.
    """
    agents: dict[str, Agent] = {}
    for one in given:
        first = agents.setdefault(one.name, one)
        if first is not one and not _is_same(first, one):
            raise EngineError(
                f"two agents are named {one.name!r}"
                f" ({_place(first)}; {_place(one)}); give each its own name"
            )
    return agents


def _is_same(one: Agent, other: Agent) -> bool:
    # A file that is given and imported too is run twice, and compiled twice. What has the very
    # same code was made twice by one function, and may differ in what that was called with.
    first, second = _code(one), _code(other)
    return (
        first is not None
        and second is not None
        and first is not second
        and first.co_firstlineno == second.co_firstlineno
        and os.path.realpath(first.co_filename) == os.path.realpath(second.co_filename)
    )


def _code(agent: Agent) -> CodeType | None:
    return getattr(inspect.unwrap(agent.function), "__code__", None)


def _place(agent: Agent) -> str:
    code = _code(agent)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else repr(agent.function)
