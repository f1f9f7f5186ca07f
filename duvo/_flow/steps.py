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
    """Send a request once. The result is the response, unchecked.

    `begun` says that an earlier attempt to perform this step was begun. It was ended by
    an exception from outside, such as Ctrl-C.
    """

    __slots__ = ("begun", "request")
    enters = (DuvoError, Closed)

    def __init__(self, request: Any):
        self.request = request
        self.begun = False


class Sleep:
    """Sleep for some seconds. The reason is logged when the sleep is long.

    `rate_limited` is whether the rate limit is the reason.

    `ends` is when it ends, on the client's clock, once it was begun: after an
    interruption only the rest is slept.
    """

    __slots__ = ("ends", "polling", "rate_limited", "reason", "seconds")
    enters = (Closed,)

    def __init__(
        self, seconds: float, reason: str, *, polling: bool = False, rate_limited: bool = False
    ):
        self.seconds = seconds
        self.reason = reason
        self.polling = polling
        self.rate_limited = rate_limited
        self.ends: float | None = None


class Call:
    """Call a user function with one argument. In an async client it may be a coroutine function."""

    __slots__ = ("argument", "function")
    enters = (Exception,)

    def __init__(self, function: Callable[[Any], Any], argument: Any):
        self.function = function
        self.argument = argument


class Block:
    """Call a function of this library that may block, such as reading a file.

    An async driver begins it in a thread. That `task` outlives a cancellation, and
    its result is used when the flow is resumed.
    """

    __slots__ = ("arguments", "function", "task")
    enters = (Exception,)

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self.function = function
        self.arguments = arguments
        self.task: Any = None


class Give:
    """Pass items to the caller who iterates."""

    __slots__ = ("items",)
    enters: tuple[type[Exception], ...] = ()

    def __init__(self, items: Sequence[Any]):
        self.items = items


if TYPE_CHECKING:
    Step: TypeAlias = Send | Sleep | Call | Block | Give


def block(function: Callable[..., T], *arguments: Any) -> Flow[T]:
    """Call a function of this library that may block, and return its result."""
    result: T = yield Block(function, *arguments)
    return result
