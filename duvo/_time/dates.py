"""Dates in headers, as Unix time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def unix_time(value: str) -> float | None:
    """Return an HTTP date, in any of its three forms, as Unix time; None if it is not one."""
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
        # The form of C's asctime has no zone; every HTTP date is in UTC.
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


def server_time(headers: Mapping[str, str], unix: float) -> float:
    """Return the server's Unix time by its `Date`, or `unix`, the local one, without it."""
    date = headers.get("date")
    seconds = None if date is None else unix_time(date)
    return unix if seconds is None else seconds
