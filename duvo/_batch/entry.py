"""An input of a batch: its row in the journal, its run until the result, and counts of inputs."""

from __future__ import annotations

import json
from typing import Any

from attrs import asdict, define, field, frozen

from .._models import wire
from .._run.answer import FinalAnswer
from .._run.state import RunState
from .fingerprints import of_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from .._tables.results_csv import Outcome
    from .inputs import Input

_UNFINISHED = {"sending": "starting", "started": "running"}


@frozen
class Row:
    """The row of an input, as it was when the input was taken.

    Attributes:
        occurrence: number of earlier inputs with the same name.
        sent_at: Unix time just before the start was first sent, or None.
        delivered: whether the result was returned to the user.
        message: the fingerprint of the start message, once it was sent. Journals
            of earlier versions do not have it.
        repeated: whether an input with the same key was taken before: it is
            the same input again.
    """

    id: int
    name: str
    occurrence: int
    state: Literal["new", "sending", "started", "finished"]
    idempotency_key: str
    run_id: str | None = None
    sent_at: float | None = None
    result: str | None = None
    delivered: bool = field(default=False, converter=bool)
    message: str | None = None
    repeated: bool = field(default=False, kw_only=True)


@frozen
class Changes:
    """Inputs compared with a journal.

    Attributes:
        known: inputs that have a row.
        new: inputs without a row.
        gone: rows without an input.
        finished: known inputs whose runs have ended.
        failed: known inputs whose runs failed or were stopped.
        changed: known inputs that were sent with another start message. They keep
            their runs.
    """

    known: int
    new: int
    gone: int
    finished: int = 0
    changed: int = 0
    failed: int = 0


@define(eq=False)
class Entry:
    """An input that was taken, and its run.

    Attributes:
        run: the user's object for the run, once it is known.
        sends: number of starts that were sent without a known outcome.
        searches: number of searches for the run of such a start.
    """

    row: Row
    input: Input
    state: RunState | None = None
    run: Any = None
    sends: int = 0
    searches: int = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier start may have made a run."""
        return self.row.state == "sending" or self.sends > 0

    @property
    def was_sent_differently(self) -> bool:
        """Whether a start that may have made a run was sent with another message."""
        if self.row.state != "sending" or self.row.message is None:
            return False
        return self.row.message != of_message(self.input.message)


@frozen(kw_only=True)
class Progress:
    """The progress of a batch: numbers of the inputs that were taken.

    Attributes:
        completed: inputs whose runs completed.
        failed: inputs whose runs failed, or could not be started.
        stopped: inputs whose runs were stopped.
        running: inputs whose runs are being started or running.
        waiting: inputs whose runs wait for a human.
    """

    completed: int = 0
    failed: int = 0
    stopped: int = 0
    running: int = 0
    waiting: int = 0

    def describe(self) -> str:
        """Return the numbers that are not 0, in words."""
        counts = asdict(self)
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no runs"

    def _repr_html_(self) -> str:
        from .._notebook.html import table

        counts = asdict(self)
        return table([name.capitalize() for name in counts], [list(counts.values())])


def stored(state: RunState) -> str:
    """Return a run that has ended, as the journal stores it."""
    final_answer = state.final_answer
    return json.dumps(
        {
            "run": state.raw_run if state.listed else state.raw,
            "listed": state.listed,
            "read": final_answer.is_read,
            "answer": final_answer.answer,
            "failure": final_answer.failure,
        }
    )


def stored_status(text: str) -> str:
    """Return the status of a run that the journal stored."""
    kept = json.loads(text)
    run = kept["run"] if kept["listed"] else kept["run"]["run"]
    return wire.status(run["status"])


def restored(run_id: str, text: str) -> RunState:
    """Return a run that the journal stored."""
    kept = json.loads(text)
    state = RunState(run_id, kept["run"], listed=kept["listed"])
    state.final_answer = FinalAnswer(kept["answer"], kept["failure"], is_read=kept["read"])
    return state


def outcome(row: Row | None) -> Outcome:
    """Return the outcome of an input, by its row in the journal."""
    from .._tables.results_csv import Outcome

    if row is None or row.run_id is None or row.result is None:
        return Outcome(_UNFINISHED.get(row.state, "not started") if row else "not started")
    state = restored(row.run_id, row.result)
    if not state.final_answer.is_read:
        return Outcome(state.status, run_id=state.id)
    return Outcome(state.status, state.answer or "", state.failure or "", state.id)
