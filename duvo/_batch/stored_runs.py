"""Runs that have ended, as the journal stores them. Pure."""

from __future__ import annotations

import json

from .._models import wire
from .._run.answer import FinalAnswer
from .._run.state import RunState


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
