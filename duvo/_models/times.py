"""Times of the API as datetimes."""

from __future__ import annotations

import sys
from datetime import datetime, timezone


def timestamp(value: object) -> datetime | None:
    """Return a time of the API, in UTC if it has no zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        if sys.version_info >= (3, 11):
            moment = datetime.fromisoformat(value)
        else:
            moment = datetime.fromisoformat(_for_python_3_10(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _for_python_3_10(value: str) -> str:
    # It accepts neither "Z" nor a fraction of other than 3 or 6 digits.
    head, dot, tail = value.replace("Z", "+00:00").partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return f"{head}.{digits[:6].ljust(6, '0')}{tail[len(digits) :]}" if dot else head
