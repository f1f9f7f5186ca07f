"""Whether a run has ended."""

from __future__ import annotations

from .._models import times, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

RESUME_GRACE = 10.0
"""Seconds for which a run that was just resumed may still show its old status."""


def is_finished(status: str) -> bool:
    """Whether this status, in our words, means that a run has ended. Unknown ones do not."""
    return status in wire.FINISHED


class Resumed:
    """A message that was sent to a run: only an end after it counts.

    Args:
        message_at: the message's time on the server, or None if it sent none.
        sent_at: when the message was sent, on the client's clock.
        ended_before: the last known `completed_at` before the message, or None.
    """

    __slots__ = ("ended_before", "message_at", "sent_at")

    def __init__(self, message_at: datetime | None, sent_at: float, ended_before: object):
        self.message_at = message_at
        self.sent_at = sent_at
        self.ended_before = ended_before


def has_ended(run: dict[str, Any], resumed: Resumed | None, now: float) -> bool:
    """Whether a run that was just read, with our names, has ended since it was resumed."""
    if not is_finished(run["status"]):
        return False
    if resumed is None or now - resumed.sent_at > RESUME_GRACE:
        return True
    ended_at = times.timestamp(run.get("completed_at"))
    if ended_at is None or resumed.message_at is None:
        return run.get("completed_at") != resumed.ended_before
    return ended_at >= resumed.message_at
