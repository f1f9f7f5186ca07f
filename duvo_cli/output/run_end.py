"""What came of a run: for stdout, for stderr, and for the shell."""

from __future__ import annotations

import sys

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from duvo import Run

_FAILED = 4
_STOPPED = 5


def exit_code(run: Run) -> int:
    """The exit code for how the run ended."""
    return {"failed": _FAILED, "stopped": _STOPPED}.get(run.status, 0)


def print_document(run: Run) -> None:
    """Print run, answer and failure as JSON; null is what is not known."""
    import duvo

    from . import json

    told: dict[str, str | None] = {}
    for name in ("answer", "failure"):
        try:
            told[name] = getattr(run, name)
        except duvo.NotLoaded:
            told[name] = None
    try:
        known = run.to_dict()
    except duvo.NotLoaded:
        known = {"run": {"id": run.id}}
    json.print_document({**known, **told})


def print_answer(run: Run) -> None:
    """Print the run's last text, and nothing else, to stdout."""
    import duvo

    try:
        answer = run.answer
    except duvo.NotLoaded:
        return
    if answer is None:
        terminal.say(f"run {run.id} completed and said nothing")
    else:
        terminal.write(terminal.harmless(answer) if terminal.is_terminal(sys.stdout) else answer)


def tell_end(run: Run) -> None:
    """Say on stderr how the run ended."""
    import duvo

    from .times import lasted

    if run.status == "failed":
        try:
            reason = run.failure or "it tells no reason"
        except duvo.NotLoaded:
            reason = "its conversation cannot be read"
        terminal.say(f"run {run.id} failed: {reason}")
        return
    took = lasted(run.created_at, run.completed_at)
    terminal.say(f"run {run.id} {run.status}{f' after {took}' if took else ''}")
