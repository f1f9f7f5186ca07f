"""Times as people write and read them. Pure."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime, time, timedelta, timezone

SINCE = "2h, 7d, today, yesterday, a date, an ISO time or a time of today"
"""What `moment` understands, for help."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime | str:
    """An argument type: 2h ago, `today`, `yesterday`, a date, an ISO time or a time of today."""
    if text in ("today", "yesterday"):
        day = date.today() - timedelta(days=text == "yesterday")
        return datetime.combine(day, time()).astimezone()
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        try:
            return datetime.combine(date.today(), time.fromisoformat(text.zfill(5))).astimezone()
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a time of a day") from None
    ago = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if ago is not None:
        try:
            return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise ArgumentTypeError(f"{text!r} is before the first year") from None
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ArgumentTypeError(
            f"{text!r} is not a time: give 2h, 7d, today, yesterday, 2026-01-31 or 2026-01-31T12:00"
        )
    # The SDK parses times; this refuses obvious mistakes before any request.
    try:
        date.fromisoformat(text[:10])
        if re.match(r"[0-9]{2}:[0-9]{2}", text[11:]):
            time.fromisoformat(text[11:16])
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} does not exist: {error}") from None
    return text


def add_period(parser: ArgumentParser, prefix: str = "") -> None:
    """Add `--since` and `--until`, the time in which runs were created.

    Args:
        prefix: begins the help of both options.
    """
    parser.add_argument("--since", type=moment, metavar="T", help=f"{prefix}created since: {SINCE}")
    parser.add_argument(
        "--until", type=moment, metavar="T", help=f"{prefix}created by then: as for --since"
    )


def age(moment: datetime | None, now: datetime) -> str:
    """The time since, in its largest unit: `45 s`, `12 min`, `3 h`, `6 days`."""
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        count = seconds // length
        if count:
            return f"{count} {'day' if (unit, count) == ('days', 1) else unit}"
    return f"{seconds} s"


def iso(moment: datetime | None) -> str:
    """The moment in ISO format, in UTC, for other programs."""
    if moment is None:
        return ""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(moment: datetime | None) -> str:
    """Date and time in the local zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def duration(begin: datetime | None, end: datetime | None) -> str:
    """The time between; see `length`."""
    if begin is None or end is None:
        return ""
    return length(max(0.0, (end - begin).total_seconds()))


def length(seconds: float) -> str:
    """A length of time, such as `850 ms`, `12.3 s`, `4 min 5 s` or `2 h 3 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
