"""Events of runs, and results of inputs."""

from __future__ import annotations

from typing import Any, Generic, Literal

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .._models.human_requests import HumanRequest
    from .._models.messages import Message
    from .run import Run

    T = TypeVar("T", default=Any)
    R = TypeVar("R", default=Run)
else:
    from typing import TypeVar

    T = TypeVar("T")
    R = TypeVar("R")


@frozen(kw_only=True)
class Event(Generic[R]):
    """A change of one run.

    Attributes:
        type: `status` (the status changed, or is seen for the first time),
            `message`, `human_request` (the run waits for a human), or
            `finished` (the run has ended; its last event).
        run: the run, as last read.
        message: the message of a `message` event, or None.
        request: the request of a `human_request` event, or None.
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

    def _repr_html_(self) -> str:
        from .html import of_event

        return of_event(self.type, self.run, self.message, self.request)


class Result(tuple[T, R], Generic[T, R]):
    """An input and its run, which has ended, as a pair: `input, run = result`.

    Attributes:
        index: the input's place among the inputs, counted from 0.
        key: the input's key, or None without `key=`.
        delivered: whether an earlier call with the same journal returned it.
    """

    index: int  # type: ignore[assignment]  # replaces the search method of a tuple
    key: str | None
    delivered: bool

    @classmethod
    def of(cls, value: T, run: R, *, index: int, key: str | None, delivered: bool) -> Result[T, R]:
        """Make the result of an input."""
        result = cls((value, run))
        result.index, result.key, result.delivered = index, key, delivered
        return result

    @property
    def input(self) -> T:
        """The input, as it was given."""
        return self[0]

    @property
    def run(self) -> R:
        """The input's run, with `answer` and `failure`."""
        return self[1]

    def to_row(self) -> dict[str, Any]:
        """Return the result as a flat row of a table, with the columns of `Results.to_csv`.

        `pandas.DataFrame(result.to_row() for result in results)` is a table of results.
        """
        from .rows import of_result

        return of_result(self)

    def __repr__(self) -> str:
        key = "" if self.key is None else f", key={self.key!r}"
        return f"Result(input={self.input!r}, run={self.run!r}, index={self.index}{key})"

    def _repr_html_(self) -> str:
        from .html import of_result

        return of_result(self.index, self.key, self.input, self.run)
