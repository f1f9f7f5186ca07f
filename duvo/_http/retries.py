"""What is sent again, and when. Pure."""

from __future__ import annotations

import random

from .. import _errors as errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_WAIT = 60.0
"""Seconds that a single call will wait when a server tells it to; beyond, it raises at once."""

_TRANSIENT = (500, 502, 503, 504)


def may_send_again(error: errors.DuvoError, *, repeatable: bool) -> bool:
    """Whether the same request may be sent once more after this error.

    Args:
        error: what became of it.
        repeatable: sending it twice does what sending it once does: a read, or
            a change whose idempotency key this server has shown to honour.
    """
    asked = getattr(error, "retry_after", None)
    if asked is not None and asked > LONGEST_WAIT:
        return False
    return surely_not_done(error) or (repeatable and is_transient(error))


def is_transient(error: errors.DuvoError) -> bool:
    """Whether the same read may well succeed a little later."""
    if isinstance(error, errors.TLSError):
        return False
    if isinstance(error, errors.APIError):
        return error.status == 429 or error.status in _TRANSIENT
    if isinstance(error, errors.UnexpectedAnswer):
        return error.may_pass
    return isinstance(error, (errors.ConnectionError, errors.TimeoutError))


def surely_not_done(error: errors.DuvoError) -> bool:
    """Whether the request was certainly not carried out, so that a change is safe to send again."""
    if isinstance(error, errors.TLSError):
        return False
    if isinstance(error, (errors.ConnectionError, errors.TimeoutError)):
        return not error.arrived
    if isinstance(error, errors.APIError):
        return error.status == 429 or (error.status == 503 and error.retry_after is not None)
    return False


def leaves_outcome_unknown(error: errors.DuvoError) -> bool:
    """Whether a change that met this error may or may not have happened."""
    return is_transient(error) and not surely_not_done(error)


def is_verdict(error: Exception) -> bool:
    """Whether the server looked at the change itself and refused it.

    Who is turned away at the door (401, 403, 429) learns nothing of an attempt before.
    """
    if not isinstance(error, errors.APIError):
        return False
    return 400 <= error.status < 500 and error.status not in (401, 403, 429)


def backoff(attempt: int, retry_after: float | None = None) -> float:
    """Seconds before sending again after that many failed attempts.

    0.5 s doubling up to 8 s, with jitter so that many clients do not come back
    at the same moment; or what the server asks for, where that is longer.
    """
    ours = min(8.0, 0.5 * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
    return max(ours, retry_after or 0.0)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, or None.

    Args:
        headers: of the answer, with names in any case.
        now: Unix time in seconds, for headers that give a date.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    if seconds != seconds or seconds == float("inf"):
        return None
    return max(0.0, seconds)
