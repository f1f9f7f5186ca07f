"""What is returned about one run among many: an event, or the result of an input."""

from __future__ import annotations

from typing import Any, Generic, Literal

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .._models.human_requests import HumanRequest
    from .._models.messages import Message
    from .run import Run

    R = TypeVar("R", default=Run)
else:
    from typing import TypeVar

    R = TypeVar("R")


@frozen(kw_only=True)
class Event(Generic[R]):
    """A change of one run.

    Attributes:
        type: `status` (it has another status than before, or is seen for the
            first time), `message`, `human_request` (it asks a human), or
            `finished` (it has ended, and no other event of it follows).
        run: the run, as last read.
        message: of a `message`, else None.
        request: of a `human_request`, else None.
    """

    type: Literal["status", "message", "human_request", "finished"]
    run: R
    message: Message | None = None
    request: HumanRequest | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON, with the API's run, message or request in it."""
        run: Any = self.run
        event: dict[str, Any] = {"type": self.type, "run": run.to_dict()["run"]}
        if self.message is not None:
            event["message"] = self.message.to_dict()
        if self.request is not None:
            event["request"] = self.request.raw
        return event


class Result(tuple[Any, R], Generic[R]):
    """A pair of an input and its run, which has ended: `input, run = result`.

    Attributes:
        input: as it was given.
        run: its run, with `answer` and `failure`.
        index: the input's place among the inputs, counted from 0.
        key: the input's key, or None where there is no `key=`.
        delivered: whether an earlier use of the journal had returned it.
    """

    index: int  # type: ignore[assignment]  # a tuple's search method is of no use here
    key: str | None
    delivered: bool

    @classmethod
    def of(cls, given: Any, run: R, *, index: int, key: str | None, delivered: bool) -> Result[R]:
        """Make a result."""
        result = cls((given, run))
        result.index, result.key, result.delivered = index, key, delivered
        return result

    @property
    def input(self) -> Any:
        """The input, as it was given."""
        return self[0]

    @property
    def run(self) -> R:
        """The input's run."""
        return self[1]
