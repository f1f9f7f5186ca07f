"""The progress of a batch as a line of text. Pure."""

from __future__ import annotations

from collections import deque

import duvo

_CELLS = 20
_RATE_OVER = 60.0
"""Seconds over which the rate is averaged."""

_RATE_FROM = 5.0
"""Seconds before a rate is known."""


class Rate:
    """Runs that end per second, over the last minute. Times are in seconds."""

    def __init__(self, now: float):
        self._samples = deque([(now, 0)])

    def update(self, now: float, done: int) -> float | None:
        """Record the runs that have ended so far; return the rate, or None when it is too early."""
        self._samples.append((now, done))
        while now - self._samples[1][0] >= _RATE_OVER:
            self._samples.popleft()
        began, before = self._samples[0]
        return (done - before) / (now - began) if now - began >= _RATE_FROM else None


def line(progress: duvo.Progress, total: int, rate: float | None, places: int | None = None) -> str:
    """A bar, the counts, the rate and the time left, for this total of inputs.

    `places` is how many runs may be unfinished, if nothing here answers their requests.
    """
    done = ended(progress)
    blocked = places is not None and blocked_rows(progress, total, places)
    counts = [
        f"{progress.running} running",
        f"{progress.waiting} waiting for a human" if progress.waiting else "",
    ]
    filled = _CELLS * min(done, total) // total if total else _CELLS
    parts = [
        f"[{'#' * filled}{'.' * (_CELLS - filled)}] {done}/{total}",
        *([blocked_in_words(progress, blocked)] if blocked else counts),
        f"{progress.failed} failed" if progress.failed else "",
        f"{progress.stopped} stopped" if progress.stopped else "",
        *([f"{rate:.1f}/s", _left((total - done) / rate)] if rate and done < total else []),
    ]
    return " · ".join(part for part in parts if part)


def blocked_rows(progress: duvo.Progress, total: int, places: int) -> int:
    """The rows without a run whose places are all taken by runs that wait for a human."""
    if progress.waiting < places:
        return 0
    return max(0, total - ended(progress) - progress.running - progress.waiting)


def blocked_in_words(progress: duvo.Progress, rows: int, command: str = "") -> str:
    """Say that so many rows wait; `command` lists what for."""
    runs = "1 run waits" if progress.waiting == 1 else f"{progress.waiting} runs wait"
    others = "1 row waits" if rows == 1 else f"{rows} rows wait"
    listed = f" (`{command}`)" if command else ""
    return f"{runs} for a human{listed}; {others} for {'it' if progress.waiting == 1 else 'them'}"


def ended(progress: duvo.Progress) -> int:
    """The number of runs that have ended, however they did."""
    return progress.completed + progress.failed + progress.stopped


def _left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min left"
    return f"{round(seconds / 3600)} h left"
