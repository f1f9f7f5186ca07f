"""Running a flow to its result."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from .._errors import DuvoError
from .steps import Give

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .steps import Flow, Step

T = TypeVar("T")


class Drive(Generic[T]):
    """A flow that is being run.

    Attributes:
        step: the pending step, or None if the flow has ended.
        error: what the flow raised, or None.
    """

    __slots__ = ("_flow", "error", "result", "step")

    def __init__(self, flow: Flow[T]):
        self._flow = flow
        self.step: Step | None = None
        self.result: T
        self.error: BaseException | None = None
        self.resume(None)

    def resume(self, result: object) -> None:
        """Continue the flow with the result of its step."""
        self._advance(self._flow.send, result)

    def fail(self, error: BaseException) -> None:
        """Continue the flow with the error of its step."""
        self._advance(self._flow.throw, error)

    def _advance(self, advance: Callable[[Any], Step], value: object) -> None:
        try:
            self.step = advance(value)
        except StopIteration as end:
            self.step, self.result = None, end.value
        except BaseException as error:
            # An exception from outside, such as Ctrl-C, may come in the middle of the flow.
            is_own = error is value or isinstance(error, DuvoError)
            self.step, self.error = None, error if is_own else _interrupted(error)
            raise


def _interrupted(error: BaseException) -> DuvoError:
    failure = DuvoError(
        f"{type(error).__name__} ended the iteration at a point from which it cannot continue: "
        "begin another"
    )
    failure.__cause__ = error
    return failure


def run(flow: Flow[T], perform: Callable[[Step], Any]) -> T:
    """Perform a flow and return its result."""
    try:
        drive = Drive(flow)
        while (step := drive.step) is not None:
            try:
                result = perform(step)
            except step.enters as error:
                drive.fail(error)
            else:
                drive.resume(result)
        return drive.result
    finally:
        # After an exception from outside, whose traceback may be kept with this frame.
        flow.close()


async def run_async(flow: Flow[T], perform: Callable[[Step], Awaitable[Any]]) -> T:
    """Perform a flow and return its result."""
    try:
        drive = Drive(flow)
        while (step := drive.step) is not None:
            try:
                result = await perform(step)
            except step.enters as error:
                drive.fail(error)
            else:
                drive.resume(result)
        return drive.result
    finally:
        # After a cancellation, whose traceback may be kept with this frame.
        flow.close()


def convert(flow: Flow[T], change: Callable[[Sequence[Any]], Sequence[Any] | None]) -> Flow[T]:
    """Run a flow inside another; `change` returns the items to give in place of those it gives."""
    drive = Drive(flow)
    while (step := drive.step) is not None:
        if type(step) is Give:
            items = change(step.items)
            if items:
                yield Give(items)
            drive.resume(None)
            continue
        try:
            result = yield step
        except Exception as error:
            drive.fail(error)
        else:
            drive.resume(result)
    return drive.result


def collect(flow: Flow[Any]) -> Flow[list[Any]]:
    """Run a flow inside another, and return the items that it gives."""
    items: list[Any] = []
    yield from convert(flow, items.extend)
    return items
