"""Runs, agents, events and results for notebooks, as HTML. Sends nothing."""

from __future__ import annotations

import json
from collections import deque

from .._lists.read_items import SHOWN
from .._models.human_requests import request_text
from .._models.messages import COLUMNS, cells
from .._notebook import html
from .rows import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._batch.entry import Progress
    from .._lists.read_items import ReadItems
    from .._models.human_requests import HumanRequest
    from .._models.messages import Message

_LONGEST_LINE = 200
_LONGEST_SHOWN = 2_000
"""Maximum number of characters of a result as a line, and of a message that `show` shows."""

_RUN_COLUMNS = ("Status", "Agent", "Title", "Created", "Ended")
_RESULT_COLUMNS = ("Index", "Input", "Run", "Status", "Answer or failure")
_AGENT_COLUMNS = ("Agent", "Id", "Last run")


def of_run(run: Any) -> str:
    """Return a table of the fields of a run, as far as they have been read."""
    return html.fields(f"run {run.id}", run_fields(run))


def run_fields(run: Any) -> list[tuple[str, object]]:
    """Return the fields of a run, as far as they have been read."""
    if not known(run, "status"):
        return [("status", "not loaded")]
    request = known(run, "pending_request")
    names = (name.lower() for name in _RUN_COLUMNS)
    return [
        *zip(names, _run_cells(run), strict=True),
        ("waits for", None if request is None else request_text(request)),
        ("answer", known(run, "answer")),
        ("failure", known(run, "failure")),
    ]


def of_runs(read: ReadItems, total: int | None) -> str:
    """Return a table of the runs of a list."""
    rows = [(run.id, *_run_cells(run)) for run in read.items]
    return html.table(("Run", *_RUN_COLUMNS), rows, read.caption(total))


def _run_cells(run: Any) -> tuple[object, ...]:
    agent = run.agent_name or run.agent_id
    ended = run.completed_at if run.is_finished else None
    return run.status, agent, run.title, run.created_at, ended


def of_agents(read: ReadItems, total: int | None) -> str:
    """Return a table of the agents of a list."""
    rows = [(agent.name, agent.id, agent.last_run_at) for agent in read.items]
    return html.table(_AGENT_COLUMNS, rows, read.caption(total))


def of_event(kind: str, run: Any, message: Message | None, request: HumanRequest | None) -> str:
    """Return a table of the fields of an event."""
    pairs: list[tuple[str, object]] = [("run", run.id), ("status", known(run, "status"))]
    if message is not None:
        _, role, text = cells(message)
        pairs.append((role, text))
    if request is not None:
        pairs.append(("request", request_text(request)))
    return html.fields(f"event {kind}", pairs)


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
        rows = map(cells, tuple(self._latest))
        return html.table(COLUMNS, rows, self.describe(), _LONGEST_SHOWN)


def of_result(index: int, key: str | None, value: object, run: Any) -> str:
    """Return a table of the fields of a result: the input, and its run."""
    pairs = [("key", key), ("input", input_text(value)), ("run", run.id), *run_fields(run)]
    return html.fields(f"result {index}", pairs)


def of_results(progress: Progress, latest: Sequence[Any]) -> str:
    """Return the progress of a batch, and a table of its latest results."""
    caption = progress.describe()
    count = progress.completed + progress.failed + progress.stopped
    if count > len(latest) > 0:
        caption += f"; the latest {len(latest)} results:"
    rows = [
        (
            result.index,
            input_text(result.input),
            result.run.id,
            result.run.status,
            _end_of(result.run),
        )
        for result in latest
    ]
    return html.table(_RESULT_COLUMNS, rows, caption)


def result_line(index: int, key: str | None, run: Any) -> str:
    """Return a result as a line of text."""
    name = str(index) if key is None else f"{index} ({key})"
    text = f"{name}: run {run.id} {run.status}: {_end_of(run)}"
    return html.cut(" ".join(text.split()), _LONGEST_LINE)


def _end_of(run: Any) -> str:
    return known(run, "failure") or known(run, "answer") or ""


def input_text(value: object) -> str:
    """Return an input as text: itself, or its JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
