"""Times of the API, and of users, as datetimes."""

from __future__ import annotations

import sys
from datetime import date, datetime, timezone

from .._errors import ConfigError


def timestamp(value: object) -> datetime | None:
    """Return a time of the API, in UTC if it has no zone; None for anything else."""
    moment = _parsed(value) if isinstance(value, str) else None
    return moment.replace(tzinfo=timezone.utc) if moment and not moment.tzinfo else moment


def users_time(value: date | str) -> datetime:
    """Return a time that a user gave, in UTC.

    Without a zone it is local time; a date is its midnight.

    Raises:
        ConfigError: it is not a time.
    """
    moment: datetime | None
    if isinstance(value, str):
        moment = _parsed(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime(value.year, value.month, value.day)
    else:
        moment = value if isinstance(value, datetime) else None
    if moment is None:
        raise ConfigError(f"{value!r} is not a time such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(timezone.utc)
    except (OverflowError, ValueError):
        raise ConfigError(f"{value!r} is out of range for a time") from None


def api_text(moment: datetime) -> str:
    """Return a time in UTC in the form that the API expects."""
    return moment.isoformat().replace("+00:00", "Z")


def _parsed(text: str) -> datetime | None:
    try:
        if sys.version_info >= (3, 11):
            return datetime.fromisoformat(text)
        return datetime.fromisoformat(_for_python_3_10(text))
    except ValueError:
        return None


def _for_python_3_10(value: str) -> str:
    # It accepts neither "Z" nor a fraction of other than 3 or 6 digits.
    head, dot, tail = value.replace("Z", "+00:00").partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return f"{head}.{digits[:6].ljust(6, '0')}{tail[len(digits) :]}" if dot else head
