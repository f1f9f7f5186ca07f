"""Runs as rows that read at a glance, in `runs list` and `runs watch`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duvo

from . import terminal
from .table import table
from .terminal import Paint
from .times import age, duration, local

_COLOURS = {
    "waiting": "yellow",
    "failed": "red",
    "running": "cyan",
    "completed": "green",
    "stopped": "dim",
}
_SYMBOLS = {"waiting": "?", "running": "●", "completed": "✓", "failed": "✗", "stopped": "■"}
_ASCII = {"waiting": "?", "running": "*", "completed": "+", "failed": "x", "stopped": "-"}
_SHORT_ID = 8


class Row(NamedTuple):
    """A run, as far as it is known."""

    id: str
    status: str = ""
    agent: str = ""
    text: str = ""
    created: datetime | None = None
    begun: datetime | None = None
    ended: datetime | None = None


def row_of(run: duvo.Run, text: str | None = None) -> Row:
    """The row of a run, with its title unless there is another text."""
    agent = run.agent_name or run.agent_id or ""
    title = run.title if run.title and run.title != agent else ""
    return Row(
        run.id,
        run.status,
        agent,
        title if text is None else text,
        run.created_at,
        run.started_at or run.created_at,
        run.completed_at if run.is_finished else None,
    )


def lines(
    rows: Sequence[Row], columns: int | None, paint: Paint, now: datetime, *, wide: bool = False
) -> list[str]:
    """A head, and a line for each run.

    Args:
        columns: the width of the terminal: texts are cut to it, or None.
        wide: show whole ids and times, and cut nothing.
    """
    has_text = any(row.text for row in rows)
    head = ["STATUS", "AGENT", *(["TITLE"] if has_text else [])]
    head += ["CREATED", "ENDED", "RUN"] if wide else ["AGE", "TOOK", "RUN"]
    cells = []
    for row in rows:
        if wide:
            rest = [local(row.created), local(row.ended), row.id]
        else:
            took = duration(row.begun, row.ended or (now if row.status == "running" else None))
            rest = [age(row.created, now), took, row.id[:_SHORT_ID]]
        cells.append([row.status, row.agent, *([row.text] if has_text else []), *rest])
    symbols = _SYMBOLS if terminal.is_utf8(terminal.stdout()) else _ASCII
    room = None if wide or columns is None else columns - 2
    first, *others = table(head, cells, room, flexible=(2, 1) if has_text else (1,))
    painted = []
    for row, line in zip(rows, others, strict=True):
        colour = _COLOURS.get(row.status, "")
        status, rest_of_line = line[: len(row.status)], line[len(row.status) :]
        painted.append(paint(f"{symbols.get(row.status, ' ')} {status}", colour) + rest_of_line)
    return [paint(f"  {first}", "bold"), *painted]
