"""Lines on stderr while a batch runs: runs that wait for a human, and progress."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duvo

from ..output import terminal
from ..output.times import length
from .progress import blocked_in_words, blocked_rows

_PROGRESS_EVERY = 30.0
_LOOK_EVERY = 1.0
"""Seconds."""


def leave(request: duvo.HumanRequest) -> None:
    """Leave the request unanswered, without logging it; can be the SDK's `on_request`."""


class Notices:
    """Decides what to say, and when. Pure; times are in seconds.

    Args:
        total: the number of runs in the end.
        places: maximum number of unfinished runs, or None if requests are
            answered here.
        inbox: the command that lists their requests.
        describe: describes the progress, or None to say nothing about it.
    """

    def __init__(
        self,
        began: float,
        total: int,
        places: int | None,
        inbox: str,
        describe: Callable[[], str] | None,
    ):
        self._began = began
        self._total = total
        self._places = places
        self._inbox = inbox
        self._describe = describe
        self._describe_at = began + _PROGRESS_EVERY
        self._said_waiting = False
        self._said_blocked = False

    def due(self, now: float, progress: duvo.Progress) -> Iterator[str]:
        """Yield what to say now. That runs wait, and that they block others, is said once."""
        if self._places is not None and not self._said_blocked:
            if rows := blocked_rows(progress, self._total, self._places):
                self._said_blocked = self._said_waiting = True
                yield blocked_in_words(progress, rows, self._inbox)
            elif progress.waiting and not self._said_waiting:
                self._said_waiting = True
                yield f"runs are waiting for a human; `{self._inbox}` shows their requests"
        if self._describe is not None and now >= self._describe_at:
            self._describe_at = now + _PROGRESS_EVERY
            yield f"{self._describe()} · {length(now - self._began)}"


@contextmanager
def said(
    results: duvo.Results, total: int, places: int | None, inbox: str, describe: Callable[[], str]
) -> Iterator[None]:
    """During a block, say what `Notices` decides."""
    # In a terminal, the bar shows the progress.
    own_describe = None if terminal.can_redraw(sys.stderr) else describe
    notices = Notices(time.monotonic(), total, places, inbox, own_describe)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY):
            for text in notices.due(time.monotonic(), results.progress):
                terminal.say(text)

    # The batch itself may be busy, and other processes may handle its requests.
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
