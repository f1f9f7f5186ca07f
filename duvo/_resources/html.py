"""Runs, agents, events and results for notebooks, as HTML. Sends nothing."""

from __future__ import annotations

import json
from collections import deque

from .. import _html
from .._errors import NotLoaded
from .._lists.read_items import SHOWN
from .._models.html import cells, of_messages, request_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._batch.entry import Progress
    from .._lists.read_items import ReadItems
    from .._models.messages import Message
    from .agents import Agent
    from .events import Event, Result

_LONGEST_LINE = 200
_LONGEST_SHOWN = 2_000
"""Maximum number of characters of a result as a line, and of a message that `show` shows."""

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


class Conversation:
    """A run and its latest messages, as `Run.show` displays them."""

    def __init__(self, run: Any):
        self._run = run
        self._latest: deque[Message] = deque(maxlen=SHOWN)

    def add(self, message: Message) -> str:
        """Add a message, and return it as lines of text."""
        self._latest.append(message)
        _, role, text = cells(message)
        return f"{role}: {text}"

    def describe(self) -> str:
        """Return the run's id, its status, and why it failed."""
        run = self._run
        failure = known(run, "failure")
        status = known(run, "status") or "not read yet"
        return f"run {run.id} {status}" + (f": {failure}" if failure else "")

    def __repr__(self) -> str:
        return repr(self._run)

    def _repr_html_(self) -> str:
        return of_messages(tuple(self._latest), self.describe(), _LONGEST_SHOWN)


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


def result_line(result: Result[Any]) -> str:
    """Return a result as a line of text."""
    index, _, run_id, status, text = result_cells(result)
    name = index if result.key is None else f"{index} ({result.key})"
    return _html.cut(" ".join(f"{name}: run {run_id} {status}: {text}".split()), _LONGEST_LINE)


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
