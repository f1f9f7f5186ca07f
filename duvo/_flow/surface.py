"""Errors as users see them: without the frames of this library, and with one cause at most."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

from .._errors import DuvoError

E = TypeVar("E", bound=DuvoError)

_OURS = frozenset({"duvo", "asyncio", "concurrent", "tenacity"})
"""Packages whose frames are left out: this library, and those that run its flows."""


def shorten(error: E) -> E:
    """Shorten the traceback of an error that leaves the library, and return the error.

    A notebook shows each frame with its code. The frames of functions that the user passed
    remain, and one cause, such as the last failure before a timeout.
    """
    error.__suppress_context__ = True
    cause = error.__cause__
    if cause is not None:
        cause.__cause__ = None
        cause.with_traceback(_of_others(cause.__traceback__))
    return error.with_traceback(_of_others(error.__traceback__))


def _of_others(traceback: TracebackType | None) -> TracebackType | None:
    """Return the traceback without our frames."""
    kept = []
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _OURS:
            kept.append(traceback)
        traceback = traceback.tb_next
    rest = None
    for each in reversed(kept):
        rest = TracebackType(rest, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rest
