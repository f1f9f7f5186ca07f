"""The steps that a flow yields.

Each class of steps names the errors that enter the flow when a step fails, as
`enters`. Any other exception leaves the step pending.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from .._errors import DuvoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

T = TypeVar("T")

Flow = Generator[Any, Any, T]
"""A flow that returns a T."""


class Closed(Exception):
    """The iterator was closed. It never leaves the library."""

    def __str__(self) -> str:
        return "the iterator was closed"


class Send:
    """Send a request once; the result is the response as it came.

    Attributes:
        request: the request; a flow does not look into it.
        interrupted: whether an exception from outside, such as Ctrl-C, ended an
            earlier attempt to perform this step.
    """

    __slots__ = ("interrupted", "request")
    enters = (DuvoError, Closed)

    def __init__(self, request: Any):
        self.request = request
        self.interrupted = False


class Sleep:
    """Sleep for some seconds.

    Attributes:
        seconds: how long.
        reason: logged when the sleep is long.
        polling: it is a pause between two polls, logged apart from others.
        ends: when it ends, on the client's clock, once it was begun.
    """

    __slots__ = ("ends", "polling", "reason", "seconds")
    enters = (Closed,)

    def __init__(self, seconds: float, reason: str, *, polling: bool = False):
        self.seconds = seconds
        self.reason = reason
        self.polling = polling
        self.ends: float | None = None


class Call:
    """Call a function of the user's with one argument.

    In an async client it may be a coroutine function.
    """

    __slots__ = ("argument", "function")
    enters = (Exception,)

    def __init__(self, function: Callable[[Any], Any], argument: Any):
        self.function = function
        self.argument = argument


class Block:
    """Call a function of ours that may block, such as one that reads a file.

    Attributes:
        task: the call in a thread, where it was begun there: an exception from
            outside leaves it running, and its result is used later.
    """

    __slots__ = ("arguments", "function", "task")
    enters = (Exception,)

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self.function = function
        self.arguments = arguments
        self.task: Any = None


class Give:
    """Hand items to whoever iterates."""

    __slots__ = ("items",)
    enters: tuple[type[Exception], ...] = ()

    def __init__(self, items: Sequence[Any]):
        self.items = items


if TYPE_CHECKING:
    Step: TypeAlias = Send | Sleep | Call | Block | Give


def block(function: Callable[..., T], *arguments: Any) -> Flow[T]:
    """Call a function of ours that may block, and return its result."""
    result: T = yield Block(function, *arguments)
    return result
