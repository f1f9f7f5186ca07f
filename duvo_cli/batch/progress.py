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


def line(progress: duvo.Progress, total: int, rate: float | None) -> str:
    """A bar, the counts, the rate and the time left, for this total of inputs."""
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
