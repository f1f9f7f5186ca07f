"""What waits for a human across runs: how it is told, replied to, and counted."""

from __future__ import annotations

from datetime import datetime, timezone

import duvo

from ..output import human_request
from ..output.terminal import in_one_line
from ..output.times import lasted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from duvo import HumanRequest, Reply, Run

    from ..output.terminal import Paint


class Tally:
    """What became of the requests.

    Attributes:
        answered: the replies that were sent.
        left: the runs that still wait.
        too_late: how many had been answered elsewhere before.
    """

    def __init__(self) -> None:
        self.answered: list[Reply] = []
        self.left: list[Run] = []
        self.too_late = 0

    def document(self) -> dict[str, Any]:
        """What was answered, and what was left, as JSON."""
        return {
            "answered": [reply.raw for reply in self.answered],
            "left": [run.to_dict() for run in self.left],
        }

    def summary(self, done: str, why: str = "") -> str:
        """The counts in a line.

        Args:
            done: what was done to those that were answered: `approved`.
            why: why the others were left.
        """
        parts = [f"{len(self.answered)} {done}", f"{len(self.left)} left"]
        if self.left and why:
            parts[-1] += f" ({why})"
        if self.too_late:
            parts.append(f"{self.too_late} answered by somebody else meanwhile")
        return ", ".join(parts)


def can_be_answered(request: HumanRequest) -> bool:
    """Whether it is of a kind that has replies here."""
    return request.type == "approval" or bool(request.questions)


def reply(run: Run, request: HumanRequest, said: bool | dict[str, str]) -> Reply | None:
    """Send a reply to the request; None when somebody else had answered it.

    Args:
        run: the run that asks.
        request: what it asks.
        said: the decision on an approval, or the answers to questions.

    Raises:
        DuvoError: it could not be sent, and the request is still pending.
    """
    approve, answers = (said, None) if isinstance(said, bool) else (None, said)
    try:
        return run.respond(approve, answers=answers, request_id=request.id)
    except (duvo.InvalidReply, duvo.NotFound, duvo.Conflict):
        if is_pending(run, request):
            raise
        return None


def is_pending(run: Run, request: HumanRequest) -> bool:
    """Whether the run still waits for that. Reads the run again."""
    pending = run.refresh().pending_request
    return pending is not None and pending.id == request.id


def lines(run: Run, request: HumanRequest, args: argparse.Namespace, paint: Paint) -> list[str]:
    """A request with how long it waits, who asks, and how to answer it."""
    told = human_request.lines(request, args, paint)
    return [heading(run, request, paint), *(f"  {line}" for line in told)]


def heading(run: Run, request: HumanRequest, paint: Paint) -> str:
    """How long the request waits, the agent, and the run."""
    age = lasted(request.created_at, datetime.now(timezone.utc))
    agent = in_one_line(run.agent_name or run.agent_id or "")
    parts = [f"waits for {age}" if age else "waits", agent, f"run {run.id}"]
    return paint(" · ".join(part for part in parts if part), "dim")
