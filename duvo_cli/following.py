"""Following a run and waiting for its end: what `start`, `wait` and `messages` share."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager

from .errors import CommandFailed, Interrupted
from .output import run_end, terminal
from .replying import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from duvo import Client, HumanRequestPending, Run

    from .output.conversation import Conversation

TOTAL = "seconds in all; then the exit code is 124, and the run goes on"

_NOBODY_ANSWERS = 6
_TIME_IS_UP = 124


class Patience:
    """The time that the command line gives, counted from now.

    Args:
        seconds: in all, or None for no end.
    """

    def __init__(self, seconds: float | None):
        self.deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Seconds left, or None for no end."""
        return None if self.deadline is None else max(0.001, self.deadline - time.monotonic())


def follow(
    client: Client, run: Run, args: argparse.Namespace, patience: Patience, **begin: Any
) -> int:
    """Show the run's messages until it ends.

    Args:
        client: the client.
        run: the run.
        args: the command line.
        patience: the time that there is.
        begin: where in the conversation: `offset` or `last`.

    Returns:
        The exit code.

    Raises:
        DuvoError: it cannot be followed, or the time is up.
        Interrupted: Ctrl-C.
    """
    import duvo

    show = _json_line if args.json else _text_lines(args)
    choice = options.on_request(client, args, patience.deadline, shown=not args.json)
    with _detachable(run, args), _watched(run):
        messages = run.messages(
            follow=True,
            timeout=patience.left,
            on_request=choice,
            answers=args.answer,
            **begin,
        )
        try:
            with messages:
                for message in messages:
                    show(message)
        except duvo.HumanRequestPending as error:
            raise _nobody_answers(error, args, shown=not args.json) from None
        except duvo.WaitTimeout:
            raise _time_is_up(run, args) from None
    if args.json:
        from .output import json

        json.print_line(run.to_dict())
    run_end.tell_end(run)
    return run_end.exit_code(run) if args.exit_status else 0


def wait(client: Client, run: Run, args: argparse.Namespace, patience: Patience) -> int:
    """Wait for the run's end, and print what came of it.

    Returns:
        The exit code, which tells how it ended.

    Raises:
        DuvoError: it cannot be read, the time is up, or nothing here may answer.
        Interrupted: Ctrl-C.
    """
    import duvo

    choice = options.on_request(client, args, patience.deadline, shown=False)
    try:
        with _detachable(run, args), _watched(run):
            run.wait(timeout=patience.left, on_request=choice, answers=args.answer)
    except (duvo.WaitTimeout, duvo.HumanRequestPending) as error:
        if args.json:
            run_end.print_document(run)
        if isinstance(error, duvo.HumanRequestPending):
            raise _nobody_answers(error, args, shown=False) from None
        raise _time_is_up(run, args) from None
    if args.json:
        run_end.print_document(run)
    elif run.status == "completed":
        run_end.print_answer(run)
    if run.status != "completed":
        run_end.tell_end(run)
    return run_end.exit_code(run)


def _nobody_answers(
    error: HumanRequestPending, args: argparse.Namespace, *, shown: bool
) -> CommandFailed:
    if error.request is not None and not shown:
        options.show(error.request, args)
    run = f"run {error.run.id}" if error.run is not None else "the run"
    return CommandFailed(f"{run} waits for a human, and nothing here may answer", _NOBODY_ANSWERS)


def _time_is_up(run: Run, args: argparse.Namespace) -> CommandFailed:
    within = f"run {run.id} did not end within {args.timeout:g} s"
    return CommandFailed(f"{within}; it goes on: {_how_to_go_on(run, args)}", _TIME_IS_UP)


def _how_to_go_on(run: Run, args: argparse.Namespace) -> str:
    from .client import command_line

    again = command_line(args, "runs", "messages", run.id, "--follow")
    stop = command_line(args, "runs", "stop", run.id)
    return f"attach again with `{again}`, stop it with `{stop}`"


def _json_line(message: Any) -> None:
    from .output import json

    json.print_line(message.to_dict())


def _text_lines(args: argparse.Namespace) -> Callable[[Any], None]:
    conversation = conversation_for(args)
    return lambda message: terminal.write("\n".join(conversation.lines(message)))


def conversation_for(args: argparse.Namespace) -> Conversation:
    """What writes messages for people on this stdout."""
    from .output.conversation import Conversation

    return Conversation(args, terminal.paint_for(sys.stdout), terminal.width(sys.stdout))


@contextmanager
def _detachable(run: Run, args: argparse.Namespace) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"detached; run {run.id} goes on: {_how_to_go_on(run, args)}") from None


@contextmanager
def _watched(run: Run) -> Iterator[None]:
    if not terminal.is_terminal(sys.stderr):
        yield
        return
    from .output.status_line import StatusLine

    def describe() -> str:
        import duvo

        try:
            return f"run {run.id[:8]} {run.status}"
        except duvo.NotLoaded:
            return f"run {run.id[:8]}"

    with StatusLine(describe):
        yield
