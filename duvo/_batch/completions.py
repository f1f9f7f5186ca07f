"""Work in the background, and its completion."""

from __future__ import annotations

from typing import Any

from attrs import define

from .._errors import DuvoError
from .._flow.steps import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from .._flow.steps import Flow

LONGEST_END = 5.0
"""Seconds for which closing a batch waits for starts that were sent."""


@define(eq=False)
class Spawn:
    """A step: begin work in the background. Its completion comes with a later `Await`.

    Attributes:
        subject: the entry, or entries, that the work is for.
        for_executor: a function and its arguments that do the same work, also in
            another process; None where it must be done here.
    """

    enters = (DuvoError, Closed)

    kind: Literal["start", "search", "reply", "final answer"]
    subject: Any
    flow: Flow[Any]
    for_executor: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    begun: bool = False


@define(eq=False)
class Completion:
    """Work that has completed, or failed with an error."""

    spawn: Spawn
    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:
        """Return what the work returned, or raise its error."""
        if self.error is not None:
            raise self.error
        return self.value


class Await:
    """A step: wait for work to complete. The result is a list of completions.

    Args:
        seconds: maximum seconds to wait; None for no limit.

    Attributes:
        completions: the completions so far; they outlive an interruption.
        ends: when it ends, on the client's clock, once it was begun.
    """

    enters = (DuvoError, Closed)

    def __init__(self, seconds: float | None):
        self.seconds = seconds
        self.ends: float | None = None
        self.completions: list[Completion] = []
