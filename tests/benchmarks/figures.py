"""Figures: how they are printed, gathered and limited in time."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType


def show(name: str, figure: str, target: str = "") -> None:
    """Print a figure, with its target where it has one."""
    print(f"{name:<58} {figure}" + (f" (target {target})" if target else ""), flush=True)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def status_field(pid: int, name: str) -> int:
    """Return a field of a process's status: `VmRSS` in kB, `Threads`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Exit when the block takes longer; processes that it started are ended by their blocks."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise SystemExit(f"not finished within {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
