"""The end of a run: on stdout, on stderr, and as an exit code."""

from __future__ import annotations

import sys

import duvo

from ..errors import RUN_FAILED, RUN_STOPPED
from . import json, terminal
from .times import duration


def exit_code(run: duvo.Run) -> int:
    """The exit code for the run's final status."""
    return {"failed": RUN_FAILED, "stopped": RUN_STOPPED}.get(run.status, 0)


def print_document(run: duvo.Run) -> None:
    """Print run, answer and failure as JSON."""
    json.print_document(document(run))


def document(run: duvo.Run) -> dict[str, object]:
    """Run, answer and failure for JSON; unknown ones are null."""
    try:
        known = run.to_dict()
    except duvo.NotLoaded:
        known = {"run": {"id": run.id}}
    return {**known, **{name: if_known(run, name) for name in ("answer", "failure")}}


def if_known(run: duvo.Run, name: str) -> str | None:
    """The run's `status`, `answer` or `failure`, or None if that could not be read."""
    try:
        value: str | None = getattr(run, name)
    except duvo.NotLoaded:
        return None
    return value


def print_answer(run: duvo.Run) -> None:
    """Print the run's answer alone."""
    try:
        answer = run.answer
    except duvo.NotLoaded:
        return
    if answer is None:
        terminal.say(f"run {run.id} completed without an answer")
    else:
        terminal.write(terminal.harmless(answer) if terminal.is_terminal(sys.stdout) else answer)


def say_end(run: duvo.Run) -> None:
    """Say on stderr how the run ended."""
    if run.status != "failed":
        took = duration(run.created_at, run.completed_at)
        terminal.say(f"run {run.id} {run.status}{f' after {took}' if took else ''}")
        return
    try:
        reason = run.failure
    except duvo.NotLoaded:
        terminal.say(f"run {run.id} failed; its conversation could not be read for the reason")
        return
    because = f": {reason}" if reason else " without giving a reason"
    terminal.say(f"run {run.id} failed{because}")
