"""Runs that are watched, as a table that fits the terminal."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

import duvo

from .table import cut, table
from .times import lasted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from duvo import Event, Run

    from .terminal import Paint

_HEAD = ("ID", "STATUS", "AGENT", "AGE", "WHAT")
_COLOURS = {"waiting": "yellow", "failed": "red", "completed": "dim", "stopped": "dim"}
_BESIDE_ROWS = 4
"""Lines that a table may have beside its rows: head, what is left out, counts, the cursor's."""


class Watched(NamedTuple):
    """A run as it was when it was last told of."""

    id: str
    status: str
    agent: str
    since: datetime | None
    until: datetime | None
    what: str
    has_ended: bool

    @property
    def age(self) -> str:
        """How long it is there, or took."""
        return lasted(self.since, self.until or datetime.now(timezone.utc))


class WatchTable:
    """What is known of the runs that are watched.

    One thread notes events, and another may draw: runs themselves are looked
    at by the first alone.

    Args:
        runs: all of them; what was not read yet has its id alone.
        paint: what colours text.
    """

    def __init__(self, runs: Iterable[Run], paint: Paint):
        self._paint = paint
        self._watched: dict[str, Watched] = {}
        for run in runs:
            self._watched[run.id] = _known(run)

    def note(self, event: Event) -> None:
        """Take what happened to a run."""
        known = self._watched.get(event.run.id)
        what = known.what if known is not None else event.run.title or ""
        if event.request is not None:
            what = event.request.title or event.request.type
        elif event.message is not None and event.message.content:
            what = event.message.content
        self._watched[event.run.id] = _watched(event.run, what)

    def lines(self, columns: int, height: int) -> list[str]:
        """The table.

        Args:
            columns: width of the terminal.
            height: its lines; of more runs than fit, those that have ended are left out first.
        """
        watched = list(self._watched.values())
        room = max(1, height - _BESIDE_ROWS)
        shown = watched if len(watched) <= room else sorted(watched, key=_by_interest)[:room]
        rows = [(one.id, one.status, one.agent, one.age, one.what) for one in shown]
        head, *lines = table(_HEAD, rows, columns - 1)
        painted = [
            self._paint(line, _COLOURS.get(one.status, ""))
            for one, line in zip(shown, lines, strict=True)
        ]
        left_out = len(watched) - len(shown)
        more = [f"… and {left_out} more"] if left_out else []
        return [self._paint(head, "bold"), *painted, *more, cut(self._counts(watched), columns - 1)]

    def _counts(self, watched: list[Watched]) -> str:
        counts: dict[str, int] = {}
        for one in watched:
            counts[one.status] = counts.get(one.status, 0) + 1
        told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()) if word)
        runs = "1 run" if len(watched) == 1 else f"{len(watched)} runs"
        return f"{runs}: {told}" if told else runs


def _known(run: Run) -> Watched:
    try:
        return _watched(run, run.title or "")
    except duvo.NotLoaded:
        return Watched(run.id, "", "", None, None, "", has_ended=False)


def _watched(run: Run, what: str) -> Watched:
    return Watched(
        run.id,
        run.status,
        run.agent_name or run.agent_id or "",
        run.created_at,
        run.completed_at if run.is_finished else None,
        what,
        run.is_finished,
    )


def _by_interest(one: Watched) -> tuple[int, float]:
    if one.has_ended:
        return 2, -one.until.timestamp() if one.until is not None else 0.0
    return (0 if one.status == "waiting" else 1), 0.0
