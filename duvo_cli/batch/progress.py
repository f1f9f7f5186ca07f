"""How far a batch is, in a line. Pure."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from duvo import Progress

_CELLS = 20
_RATE_OVER = 60.0
"""Seconds that the rate looks back."""

_RATE_FROM = 5.0
"""Seconds after which there is a rate at all."""


class Rate:
    """How many are done a second, over the last minute.

    Args:
        now: the time at the beginning, in seconds.
    """

    def __init__(self, now: float):
        self._seen = deque([(now, 0)])

    def note(self, now: float, done: int) -> float | None:
        """Note how many are done since the beginning; the rate, or None when it is too soon.

        Args:
            now: the time, in seconds.
            done: how many.
        """
        self._seen.append((now, done))
        while now - self._seen[1][0] >= _RATE_OVER:
            self._seen.popleft()
        began, before = self._seen[0]
        return (done - before) / (now - began) if now - began >= _RATE_FROM else None


def line(progress: Progress, total: int, rate: float | None) -> str:
    """How far it is: a bar, done of all, running, waiting for a human, failed, rate, time left.

    Args:
        progress: the counts.
        total: how many inputs there are.
        rate: done a second, where it is known.
    """
    done = progress.completed + progress.failed + progress.stopped
    filled = _CELLS * min(done, total) // total if total else _CELLS
    parts = [
        f"[{'#' * filled}{'.' * (_CELLS - filled)}] {done}/{total}",
        f"{progress.running} running",
        f"{progress.waiting} waiting for a human" if progress.waiting else "",
        f"{progress.failed} failed" if progress.failed else "",
        f"{progress.stopped} stopped" if progress.stopped else "",
        *([f"{rate:.1f}/s", _left((total - done) / rate)] if rate and done < total else []),
    ]
    return " · ".join(part for part in parts if part)


def _left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min left"
    return f"{round(seconds / 3600)} h left"
