"""Agents: async functions with a name."""

from __future__ import annotations

import contextlib
import inspect
import sys
import uuid
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import Any

    from .context import RunContext

    AgentFunction = Callable[[RunContext], Coroutine[Any, Any, object]]

_NAMESPACE = uuid.UUID("8d1c4f0e-2f6b-5f0a-9d52-6f6b1d0a7411")

_decorated: ContextVar[list[Agent] | None] = ContextVar("duvo_decorated", default=None)


class Agent:
    """A named async function that the engine runs.

    Attributes:
        id: derived from the name alone: the same on every machine.
        name: the name that runs are started by.
        function: called with the `RunContext` of each turn.
        description: one line for people, or None.
    """

    __slots__ = ("description", "function", "id", "name")

    def __init__(self, name: str, function: AgentFunction, description: str | None = None):
        self.id = str(uuid.uuid5(_NAMESPACE, name))
        self.name = name
        self.function = function
        self.description = description

    def __call__(self, run: RunContext) -> Coroutine[Any, Any, object]:
        # A FakeRun checks at the end what the engine checks. Other stand-ins are merely passed on.
        play = getattr(type(run), "play", None)
        return self.function(run) if play is None else play(run, self.function)

    def __repr__(self) -> str:
        return f"<Agent {self.name!r} {self.id}>"


def agent(name: str, *, description: str | None = None) -> Callable[[AgentFunction], Agent]:
    """Turn an async function into an agent.

    Args:
        name: the name that runs are started by. The agent's id is derived from
            it, so existing runs belong to the agent for as long as the name stays.
        description: one line for people; the function's docstring by default.

    Returns:
        A decorator that replaces the function with an `Agent`.

    Raises:
        TypeError: the name is not a string, or the function is not async or does not take
            one argument.
        ValueError: the name is empty or has control characters.
    """
    if not isinstance(name, str):
        raise TypeError('an agent needs a name: @agent("Invoice approver")')
    if not name.strip() or not name.isprintable():
        raise ValueError(f"an agent's name is a line of printable text, not {name!r}")

    def decorate(function: AgentFunction) -> Agent:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"agent {name!r} must be an async function: async def …(run)")
        if not _takes_one_argument(function):
            raise TypeError(f"agent {name!r} must take one argument, the run: async def …(run)")
        made = Agent(name, function, description or inspect.getdoc(function))
        note_decorated([made])
        return made

    return decorate


@contextlib.contextmanager
def collecting_decorated() -> Iterator[list[Agent]]:
    """Collect the agents that are decorated inside the block, also for an enclosing block."""
    agents: list[Agent] = []
    token = _decorated.set(agents)
    try:
        yield agents
    finally:
        _decorated.reset(token)
    note_decorated(agents)


@contextlib.contextmanager
def ignoring_decorated() -> Iterator[None]:
    """Collect no agents inside the block."""
    token = _decorated.set(None)
    try:
        yield
    finally:
        _decorated.reset(token)


def note_decorated(agents: Iterable[Agent]) -> None:
    """Add the agents to the innermost block's."""
    collected = _decorated.get()
    if collected is not None:
        collected += agents


def _takes_one_argument(function: AgentFunction) -> bool:
    # From Python 3.14 on, annotations would be evaluated, and may name what is not imported.
    lazily: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        lazily["annotation_format"] = Format.FORWARDREF
    try:
        inspect.signature(function, follow_wrapped=False, **lazily).bind(None)
    except TypeError:
        return False
    return True
