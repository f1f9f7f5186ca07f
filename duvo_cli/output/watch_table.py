"""Watched runs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

import duvo

from ..parser import ENDED
from .run_rows import Row, row_of
from .run_rows import lines as lines_of
from .table import cut
from .terminal import Paint

_OTHER_LINES = 4
"""Lines beside the rows: the head, the number of hidden runs, the counts, and the cursor's."""


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
        text = None if known is None else known.text
        if event.request is not None:
            text = event.request.title or event.request.type
        elif event.message is not None and event.message.content:
            text = event.message.content
        row = row_of(event.run, text)
        if known is not None and not event.run.agent_name:
            # Only lists have the agent's name.
            row = row._replace(agent=known.agent or row.agent)
        self._watched[event.run.id] = row

    def lines(self, columns: int, height: int) -> list[str]:
        """Draw the table; ended runs are the first to be hidden when it does not fit."""
        watched = list(self._watched.values())
        room = max(1, height - _OTHER_LINES)
        shown = watched if len(watched) <= room else sorted(watched, key=_by_interest)[:room]
        now = datetime.now(timezone.utc)
        head, *rows = lines_of(shown, columns - 1, self._paint, now)
        hidden = len(watched) - len(shown)
        more = [f"… and {hidden} more"] if hidden else []
        return [head, *rows, *more, cut(self._counts(watched), columns - 1)]

    def _counts(self, watched: list[Row]) -> str:
        counts: dict[str, int] = {}
        for run in watched:
            counts[run.status] = counts.get(run.status, 0) + 1
        statuses = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name)
        runs = "1 run" if len(watched) == 1 else f"{len(watched)} runs"
        return f"{runs}: {statuses}" if statuses else runs


def _known(run: duvo.Run) -> Row:
    try:
        return row_of(run)
    except duvo.NotLoaded:
        return Row(run.id)


def _by_interest(run: Row) -> tuple[int, float]:
    if run.status in ENDED:
        return 2, -run.ended.timestamp() if run.ended is not None else 0.0
    return (0 if run.status == "waiting" else 1), 0.0
