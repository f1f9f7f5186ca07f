"""Times of the API, as Python has them. Pure."""

from __future__ import annotations

from datetime import datetime


def timestamp(value: object) -> datetime | None:
    """A time of the API; None for null and for what is no time."""
    if not isinstance(value, str):
        return None
    try:
        # Python 3.10 knows no "Z", and no fraction of other than 3 or 6 digits.
        head, dot, tail = value.replace("Z", "+00:00").partition(".")
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        zone = tail[len(digits) :]
        return datetime.fromisoformat(head + dot + digits[:6].ljust(6, "0") + zone if dot else head)
    except ValueError:
        return None
