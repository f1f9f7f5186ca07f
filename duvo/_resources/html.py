"""Runs, agents, events and results for notebooks, as HTML. Sends nothing."""

from __future__ import annotations

import json

from .. import _html
from .._errors import NotLoaded
from .._models.html import cells, request_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._batch.entry import Progress
    from .._lists.read_items import ReadItems
    from .agents import Agent
    from .events import Event, Result

_RUN_COLUMNS = ("Run", "Status", "Agent", "Title", "Created", "Ended")
_RESULT_COLUMNS = ("Index", "Input", "Run", "Status", "Answer or failure")
_AGENT_COLUMNS = ("Agent", "Id", "Last run")


def of_run(run: Any) -> str:
    """Return a table of the fields of a run, as far as they have been read."""
    return _html.fields(f"run {run.id}", run_fields(run))


def run_fields(run: Any) -> list[tuple[str, object]]:
    """Return the fields of a run, as far as they have been read."""
    if not known(run, "status"):
        return [("status", "not loaded")]
    request = known(run, "pending_request")
    return [
        ("status", run.status),
        ("agent", run.agent_name or run.agent_id),
        ("title", run.title),
        ("created", run.created_at),
        ("ended", run.completed_at if run.is_finished else None),
        ("waits for", None if request is None else request_text(request)),
        ("answer", known(run, "answer")),
        ("failure", known(run, "failure")),
    ]


def of_runs(read: ReadItems, total: int | None) -> str:
    """Return a table of the runs of a list."""
    rows = [
        (
            run.id,
            run.status,
            run.agent_name or run.agent_id,
            run.title,
            run.created_at,
            run.completed_at if run.is_finished else None,
        )
        for run in read.items
    ]
    return _html.table(_RUN_COLUMNS, rows, read.caption(total))


def of_agents(read: ReadItems, total: int | None) -> str:
    """Return a table of the agents of a list."""
    agents: list[Agent] = read.items
    rows = [(agent.name, agent.id, agent.last_run_at) for agent in agents]
    return _html.table(_AGENT_COLUMNS, rows, read.caption(total))


def of_event(event: Event[Any]) -> str:
    """Return a table of the fields of an event."""
    pairs: list[tuple[str, object]] = [
        ("run", event.run.id),
        ("status", known(event.run, "status")),
    ]
    if event.message is not None:
        _, role, text = cells(event.message)
        pairs.append((role, text))
    if event.request is not None:
        pairs.append(("request", request_text(event.request)))
    return _html.fields(f"event {event.type}", pairs)


def of_result(result: Result[Any]) -> str:
    """Return a table of the fields of a result: the input, and its run."""
    pairs = [
        ("key", result.key),
        ("input", input_text(result.input)),
        ("run", result.run.id),
        *run_fields(result.run),
    ]
    return _html.fields(f"result {result.index}", pairs)


def of_results(progress: Progress, latest: Sequence[Result[Any]]) -> str:
    """Return the progress of a batch, and a table of its latest results."""
    caption = progress.describe()
    count = progress.completed + progress.failed + progress.stopped
    if count > len(latest) > 0:
        caption += f"; the latest {len(latest)} results:"
    return _html.table(_RESULT_COLUMNS, map(result_cells, latest), caption)


def result_cells(result: Result[Any]) -> tuple[str, str, str, str, str]:
    """Return the cells of a result: its index, input, run, status, and answer or failure."""
    run = result.run
    text = known(run, "failure") or known(run, "answer") or ""
    return str(result.index), input_text(result.input), run.id, run.status, text


def input_text(value: object) -> str:
    """Return an input as text: itself, or its JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def known(run: Any, name: str) -> Any:
    """Return an attribute of a run, or None if its data has not been read yet."""
    try:
        return getattr(run, name)
    except NotLoaded:
        return None
