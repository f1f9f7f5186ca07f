"""Retries: which failed requests are sent again, and when."""

from __future__ import annotations

import logging
import random

from .. import _errors as errors
from .._flow.steps import Sleep
from .._time.dates import server_time, unix_time
from .rate_limit import LONGEST_WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    import tenacity

    from .._flow.steps import Flow
    from .._time.clock import Deadline

    T = TypeVar("T")

logger = logging.getLogger("duvo")

_LONGEST_ELSEWHERE = 3.0
"""Seconds for which responses that are not JSON are tolerated if there never was another."""

TRANSIENT = (500, 502, 503, 504)
"""Statuses of a server, or a proxy, that cannot serve for a while."""


def may_retry(error: errors.DuvoError, *, repeatable: bool) -> bool:
    """Whether a request may be retried after this error.

    A `repeatable` one has the effect of one when it is sent twice: it is a read, or
    a change whose idempotency key this server honours.
    """
    asked = getattr(error, "retry_after", None)
    if asked is not None and asked > LONGEST_WAIT:
        return False
    return is_transient(error) and (repeatable or surely_not_done(error))


def is_transient(error: errors.DuvoError) -> bool:
    """Whether a retry of a read is likely to succeed."""
    if isinstance(error, errors.APIError):
        return error.status == 429 or error.status in TRANSIENT
    if isinstance(error, (errors.UnexpectedAnswer, errors.ConnectionError)):
        return error.may_pass
    return isinstance(error, errors.TimeoutError)


def is_elsewhere(error: errors.DuvoError, lasted: float) -> bool:
    """Whether the base URL seems not to be the API's, after failing for so many seconds."""
    return getattr(error, "from_elsewhere", False) and lasted > _LONGEST_ELSEWHERE


def surely_not_done(error: errors.DuvoError) -> bool:
    """Whether the server certainly did not carry out the request."""
    if isinstance(error, (errors.ConnectionError, errors.TimeoutError)):
        return not error.arrived
    if isinstance(error, errors.APIError):
        return error.status == 429 or (error.status == 503 and error.retry_after is not None)
    return False


def leaves_outcome_unknown(error: errors.DuvoError) -> bool:
    """Whether a change that failed with this error may or may not have happened."""
    return is_transient(error) and not surely_not_done(error)


def is_verdict(error: Exception) -> bool:
    """Whether the server looked at the change itself and refused it.

    Refusals before that (401, 403, 429) reveal nothing about an earlier attempt.
    """
    if not isinstance(error, errors.APIError):
        return False
    return 400 <= error.status < 500 and error.status not in (401, 403, 429)


def failure_to_report(
    earlier: errors.DuvoError | None, error: errors.DuvoError, deadline: Deadline | None
) -> errors.DuvoError:
    """Return the failure to report: that of the last attempt, or the `earlier` one.

    An attempt that the deadline ended before the request was sent shows nothing about
    the server.
    """
    if earlier is None or deadline is None or not deadline.passed:
        return error
    is_late = isinstance(error, errors.TimeoutError) and not error.arrived
    return earlier if is_late else error


def backoff(attempt: int, retry_after: float | None = None) -> float:
    """Return the seconds before the next attempt, after this many failed attempts.

    0.5 s, doubled up to 8 s, with jitter so that many clients do not retry at
    the same moment; or the server's `retry_after`, if that is longer.
    """
    ours = min(8.0, 0.5 * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
    return max(ours, retry_after or 0.0)


def pause(attempt: int, error: BaseException | None) -> float:
    """Return the seconds before the next attempt after an error, as `backoff` does."""
    seconds = backoff(attempt, getattr(error, "retry_after", None))
    # Few seconds are left for the next attempts.
    return min(1.0, seconds) if getattr(error, "from_elsewhere", False) else seconds


def retry_after(headers: Mapping[str, str], unix: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait, or None.

    A date is compared with the server's; `unix` is the local Unix time, for servers
    that send none.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        date = unix_time(value)
        if date is None:
            return None
        seconds = date - server_time(headers, unix)
    if seconds != seconds or seconds == float("inf"):
        return None
    return max(0.0, seconds)


def retry(
    attempt: Callable[[], Flow[T]],
    may: Callable[[BaseException], bool],
    most: int,
    deadline: Deadline | None,
) -> Flow[T]:
    """Make an attempt, and at most `most` retries.

    Raises the error of the last one, or of the one before if there was no time left to
    send the last one.
    """
    try:
        return (yield from attempt())
    except errors.DuvoError as error:
        if most <= 0 or not may(error):
            raise
        return (yield from _retry(attempt, error, may, most, deadline))


def _retry(
    attempt: Callable[[], Flow[T]],
    first: errors.DuvoError,
    may: Callable[[BaseException], bool],
    most: int,
    deadline: Deadline | None,
) -> Flow[T]:
    # Loaded on the first retry: most commands never need it.
    import tenacity

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = pause(state.attempt_number, error)
        return deadline.left(seconds) if deadline is not None else seconds

    def log(state: tenacity.RetryCallState) -> None:
        logger.debug("retrying, attempt %d", state.attempt_number + 1)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may),
        wait=wait,
        stop=tenacity.stop_after_attempt(most + 1),
        before_sleep=log,
        reraise=True,
    )
    retrying.begin()
    state = tenacity.RetryCallState(retrying, None, (), {})
    last: errors.DuvoError | None = None
    while True:
        do = retrying.iter(retry_state=state)
        if isinstance(do, tenacity.DoAttempt):
            try:
                if last is None:
                    raise first
                state.set_result((yield from attempt()))
            except errors.DuvoError as error:
                last = failure_to_report(last, error, deadline)
                state.set_exception((type(last), last, last.__traceback__))
        elif isinstance(do, tenacity.DoSleep):
            state.prepare_for_next_attempt()
            limited = isinstance(last, errors.RateLimited)
            reason = "the server refuses more requests" if limited else "before the next attempt"
            yield Sleep(do, reason, rate_limited=limited)
        else:
            result: T = do
            return result
