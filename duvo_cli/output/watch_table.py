"""Watched runs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import NamedTuple

import duvo

from .table import cut, table
from .terminal import Paint
from .times import duration

_HEAD = ("ID", "STATUS", "AGENT", "AGE", "WHAT")
_COLOURS = {"waiting": "yellow", "failed": "red", "completed": "dim", "stopped": "dim"}
_OTHER_LINES = 4
"""Lines beside the rows: the head, the number of hidden runs, the counts, and the cursor's."""


class Watched(NamedTuple):
    """A run, as of its last event."""

    id: str
    status: str
    agent: str
    since: datetime | None
    until: datetime | None
    what: str
    has_ended: bool

    @property
    def age(self) -> str:
        """The time since the run was created, or that it took."""
        return duration(self.since, self.until or datetime.now(timezone.utc))


class WatchTable:
    """The table of all watched runs.

    One thread records events while another may draw, so only the first reads
    the runs themselves.
    """

    def __init__(self, runs: Iterable[duvo.Run], paint: Paint):
        self._paint = paint
        self._watched = {run.id: _known(run) for run in runs}

    def record(self, event: duvo.Event) -> None:
        """Record what happened to a run."""
        known = self._watched.get(event.run.id)
        what = known.what if known is not None else event.run.title or ""
        if event.request is not None:
            what = event.request.title or event.request.type
        elif event.message is not None and event.message.content:
            what = event.message.content
        self._watched[event.run.id] = _watched(event.run, what)

    def lines(self, columns: int, height: int) -> list[str]:
        """Draw the table; ended runs are the first to be hidden when it does not fit."""
        watched = list(self._watched.values())
        room = max(1, height - _OTHER_LINES)
        shown = watched if len(watched) <= room else sorted(watched, key=_by_interest)[:room]
        rows = [(run.id, run.status, run.agent, run.age, run.what) for run in shown]
        head, *lines = table(_HEAD, rows, columns - 1)
        painted = [
            self._paint(line, _COLOURS.get(run.status, ""))
            for run, line in zip(shown, lines, strict=True)
        ]
        hidden = len(watched) - len(shown)
        more = [f"… and {hidden} more"] if hidden else []
        return [self._paint(head, "bold"), *painted, *more, cut(self._counts(watched), columns - 1)]

    def _counts(self, watched: list[Watched]) -> str:
        counts: dict[str, int] = {}
        for run in watched:
            counts[run.status] = counts.get(run.status, 0) + 1
        statuses = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name)
        runs = "1 run" if len(watched) == 1 else f"{len(watched)} runs"
        return f"{runs}: {statuses}" if statuses else runs


def _known(run: duvo.Run) -> Watched:
    try:
        return _watched(run, run.title or "")
    except duvo.NotLoaded:
        return Watched(run.id, "", "", None, None, "", has_ended=False)


def _watched(run: duvo.Run, what: str) -> Watched:
    return Watched(
        run.id,
        run.status,
        run.agent_name or run.agent_id or "",
        run.created_at,
        run.completed_at if run.is_finished else None,
        what,
        run.is_finished,
    )


def _by_interest(run: Watched) -> tuple[int, float]:
    if run.has_ended:
        return 2, -run.until.timestamp() if run.until is not None else 0.0
    return (0 if run.status == "waiting" else 1), 0.0
