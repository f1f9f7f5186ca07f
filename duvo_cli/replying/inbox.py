"""Pending human requests across runs: showing, answering and counting them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

import duvo

from ..output import human_request
from ..output.terminal import Paint, in_one_line
from ..output.times import duration


class Tally:
    """Replies that were sent, runs that still wait, and requests answered elsewhere first.

    Attributes:
        is_complete: whether all the runs that wait were counted.
    """

    def __init__(self) -> None:
        self.answered: list[duvo.Reply] = []
        self.left: list[duvo.Run] = []
        self.too_late = 0
        self.is_complete = False

    def count(self, waiting: Iterable[duvo.Run]) -> Iterator[duvo.Run]:
        """Give the runs that wait; each counts as left until its reply is recorded."""
        for run in waiting:
            self.left.append(run)
            yield run
        self.is_complete = True

    def record(self, run: duvo.Run, reply: duvo.Reply | None) -> None:
        """Record the reply to the run's request, or None if it was answered elsewhere first."""
        self.left.remove(run)
        if reply is None:
            self.too_late += 1
        else:
            self.answered.append(reply)

    def document(self) -> dict[str, object]:
        """The replies and the waiting runs, as JSON."""
        return {
            "answered": [reply.raw for reply in self.answered],
            "left": [run.to_dict() for run in self.left],
        }

    def summary(self, verb: str, why_left: str = "") -> str:
        """The counts in one line; `verb` is a participle, such as `approved`."""
        left = len(self.left) if self.is_complete else "the rest"
        parts = [f"{len(self.answered)} {verb}", f"{left} left"]
        if self.left and self.is_complete and why_left:
            parts[-1] += f" ({why_left})"
        if self.too_late:
            parts.append(f"{self.too_late} answered elsewhere")
        return ", ".join(parts)


def can_be_answered(request: duvo.HumanRequest) -> bool:
    """Whether this command can answer requests of this type."""
    return request.type == "approval" or bool(request.questions)


def send_reply(
    run: duvo.Run, request: duvo.HumanRequest, choice: bool | dict[str, str]
) -> duvo.Reply | None:
    """Answer the run's pending request, or return None if it was answered elsewhere first."""
    approve, answers = (choice, None) if isinstance(choice, bool) else (None, choice)
    try:
        return run.respond(approve, answers=answers, request_id=request.id)
    except (duvo.InvalidReply, duvo.NotFound, duvo.Conflict):
        if is_pending(run, request):
            raise
        return None


def is_pending(run: duvo.Run, request: duvo.HumanRequest) -> bool:
    """Read the run again and return whether it still waits for this request."""
    pending = run.refresh().pending_request
    return pending is not None and pending.id == request.id


def lines(run: duvo.Run, args: Namespace, paint: Paint) -> list[str]:
    """The run's pending request under a heading, with the commands that answer it."""
    request = run.pending_request
    assert request is not None
    request_lines = human_request.lines(request, args, paint)
    return [heading(run, request, paint), *(f"  {line}" for line in request_lines)]


def heading(run: duvo.Run, request: duvo.HumanRequest, paint: Paint) -> str:
    """The age of the request, the agent and the run, in one line."""
    age = duration(request.created_at, datetime.now(timezone.utc))
    agent = in_one_line(run.agent_name or run.agent_id or "")
    parts = [f"waiting for {age}" if age else "waiting", agent, f"run {run.id}"]
    return paint(" · ".join(part for part in parts if part), "dim")
