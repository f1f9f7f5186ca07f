"""Work in the background, and its completion."""

from __future__ import annotations

from .._errors import DuvoError
from .._flow.steps import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from .._flow.steps import Flow

    Kind = Literal["start", "search", "reply", "answer"]


class Spawn:
    """A step: begin work in the background. Its completion comes with a later `Await`.

    Args:
        kind: the kind of work.
        subject: the entry, or entries, that the work is for.
        flow: the work.
        elsewhere: a function and its arguments that do the same work in
            another process, or None where it must be done here.
    """

    __slots__ = ("begun", "elsewhere", "flow", "kind", "subject")
    enters = (DuvoError, Closed)

    def __init__(
        self,
        kind: Kind,
        subject: Any,
        flow: Flow[Any],
        elsewhere: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ):
        self.kind = kind
        self.subject = subject
        self.flow = flow
        self.elsewhere = elsewhere
        self.begun = False


class Await:
    """A step: wait for work to complete. The result is a list of completions.

    Args:
        seconds: maximum seconds to wait; None for no limit.

    Attributes:
        completions: the completions so far; they outlive an interruption.
        ends: when it ends, on the client's clock, once it was begun.
    """

    __slots__ = ("completions", "ends", "seconds")
    enters = (DuvoError, Closed)

    def __init__(self, seconds: float | None):
        self.seconds = seconds
        self.ends: float | None = None
        self.completions: list[Completion] = []


class Completion:
    """Work that has completed.

    Attributes:
        kind: the kind of work.
        subject: the entry, or entries, that the work was for.
        error: the error that the work raised, or None.
    """

    __slots__ = ("_result", "error", "kind", "subject")

    def __init__(
        self, kind: Kind, subject: Any, result: Any = None, error: BaseException | None = None
    ):
        self.kind = kind
        self.subject = subject
        self.error = error
        self._result = result

    def result(self) -> Any:
        """Return what the work returned.

        Raises:
            BaseException: the error that the work raised.
        """
        if self.error is not None:
            raise self.error
        return self._result
