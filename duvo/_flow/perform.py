"""The blocking driver: performs the steps of flows."""

from __future__ import annotations

import logging

from .._errors import ConfigError, DuvoError
from .drivers import run
from .steps import Block, Call, Closed, Send, Sleep
from .surface import shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .steps import Flow

    T = TypeVar("T")

logger = logging.getLogger("duvo")
poll_logger = logging.getLogger("duvo.pace")
rate_limit_logger = logging.getLogger("duvo.rate_limit")

LONG_SLEEP = 5.0
"""Seconds above which a sleep is logged at INFO."""


class Driver:
    """Runs flows, blocking.

    Args:
        origin: a function and its arguments that make an equal driver in
            another process.

    Attributes:
        identity: a value that is equal for two drivers with equal settings.
        is_copy: whether it came from another process.
        may_await: whether user functions may be coroutine functions.
    """

    may_await = False

    def __init__(
        self,
        api: Any,
        transport: Any,
        origin: tuple[Callable[..., Driver], tuple[Any, ...]],
        identity: tuple[object, ...],
    ):
        self.api = api
        self.transport = transport
        self.is_copy = False
        self.identity = identity
        self._origin = origin

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        try:
            return run(flow, self.perform)
        except DuvoError as error:
            raise shorten(error)  # noqa: B904  # it is the same error

    def perform(self, step: Any, closed: threading.Event | None = None) -> Any:
        """Perform one step. It ends early with `Closed` when `closed` is set."""
        if closed is not None and closed.is_set():
            raise Closed
        kind = type(step)
        if kind is Send:
            begin(step, self.api)
            return self.transport.send(step.request, closed)
        if kind is Sleep:
            self.api.clock.sleep(time_left(step, self.api.clock), closed)
            if closed is not None and closed.is_set():
                raise Closed
            return None
        if kind is Call:
            return _refuse_awaitable(step.function(step.argument))
        assert kind is Block
        return step.function(*step.arguments)

    def interrupt(self) -> None:
        """Do nothing: a pending step sees that the iterator was closed."""

    def finish(self) -> None:
        """Do nothing: there is nothing to clean up."""

    def close(self) -> None:
        """Close the connections; later requests open new ones."""
        self.transport.close()

    def __reduce__(self) -> tuple[Callable[..., Driver], tuple[Any, ...]]:
        return self._origin


def time_left(step: Sleep, clock: Any) -> float:
    """Return the seconds that a sleep takes; one that was interrupted continues."""
    now: float = clock.now()
    if step.ends is None:
        step.ends = now + step.seconds
        _log_sleep(step)
    return step.ends - now


def _log_sleep(step: Sleep) -> None:
    if step.seconds > LONG_SLEEP:
        if step.polling:
            poll_logger.info("polling again in %.0f s: %s", step.seconds, step.reason)
        else:
            log = rate_limit_logger if step.rate_limited else logger
            log.info("waiting %.0f s: %s", step.seconds, step.reason)


def _refuse_awaitable(result: Any) -> Any:
    """Return what a function of the user's returned, unless it would have to be awaited."""
    if hasattr(result, "__await__"):
        if hasattr(result, "close"):
            result.close()
        raise ConfigError("on_request returns a coroutine, which only AsyncClient can await")
    return result


def begin(step: Send, api: Any) -> None:
    """Begin to send; raise `OutcomeUnknown` for a change that an earlier attempt may have made."""
    request = step.request
    may_repeat = request.repeatable or api.server.honours_idempotency
    if step.begun and request.may_be_sent and not may_repeat:
        raise request.outcome_unknown("it was interrupted")
    step.begun = True
