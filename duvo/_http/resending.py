"""Sending the same request again; loaded when something must be."""

from __future__ import annotations

import logging

import tenacity

from . import retries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._errors import DuvoError
    from .clock import Deadline
    from .transport import Answer

logger = logging.getLogger("duvo")


def resend(
    once: Callable[[], Answer],
    first: DuvoError,
    may: Callable[[BaseException], bool],
    most: int,
    sleep: Callable[[float], None],
    deadline: Deadline | None,
) -> Answer:
    """The answer of a later attempt.

    Args:
        once: makes one attempt.
        first: what the first attempt met.
        may: whether to try again after an error.
        most: attempts after the first.
        sleep: sleeps for some seconds.
        deadline: no pause goes beyond it.

    Raises:
        DuvoError: what the last attempt met.
    """
    failures = iter([first])

    def attempt() -> Answer:
        for error in failures:
            raise error
        return once()

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = retries.backoff(state.attempt_number, getattr(error, "retry_after", None))
        return deadline.left(seconds) if deadline is not None else seconds

    def tell(state: tenacity.RetryCallState) -> None:
        logger.debug("sending it again, attempt %d", state.attempt_number + 1)

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may),
        wait=wait,
        stop=tenacity.stop_after_attempt(most + 1),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    return again(attempt)
