"""Following a run and waiting for its end: shared by `runs start`, `wait` and `messages`."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager

from .errors import REQUEST_PENDING, TIMED_OUT, CommandFailed, Interrupted
from .output import run_end, terminal
from .output.command_line import command_line
from .replying import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from duvo import Client, HumanRequestPending, Run

TOTAL = "seconds for the whole command, which then exits with 124 and leaves runs running"
"""Help of `--timeout` where it limits the whole command."""


class TimeLimit:
    """The time that a command may take, counted from now.

    Args:
        seconds: the total, or None for no limit.
    """

    def __init__(self, seconds: float | None):
        self.deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Seconds left, or None for no limit."""
        return None if self.deadline is None else max(0.001, self.deadline - time.monotonic())


def follow(
    client: Client, run: Run, args: argparse.Namespace, limit: TimeLimit, **begin: Any
) -> int:
    """Show the run's messages until it ends.

    Args:
        client: the client.
        run: the run.
        args: the command line.
        limit: the time left.
        begin: where to begin in the conversation: `offset` or `last`.

    Returns:
        The exit code.

    Raises:
        DuvoError: the run cannot be followed.
        CommandFailed: the time is up, or nothing here can answer a human request.
        Interrupted: Ctrl-C.
    """
    import duvo

    show = _json_lines() if args.json else _text_lines(args)
    choice = options.on_request(client, args, limit.deadline, shown=not args.json)
    with _detachable(run, args), _status_line(run):
        messages = run.messages(
            follow=True, timeout=limit.left, on_request=choice, answers=args.answer, **begin
        )
        try:
            with messages:
                for message in messages:
                    show(message)
        except duvo.HumanRequestPending as error:
            raise _unanswered(error, args, shown=not args.json) from None
        except duvo.WaitTimeout:
            raise _timed_out(run, args) from None
    if args.json:
        from .output import json

        json.print_line(run.to_dict())
    run_end.say_end(run)
    return run_end.exit_code(run) if args.exit_status else 0


def wait(client: Client, run: Run, args: argparse.Namespace, limit: TimeLimit) -> int:
    """Wait for the run's end and print its answer.

    Returns:
        The exit code, by the run's final status.

    Raises:
        DuvoError: the run cannot be read.
        CommandFailed: the time is up, or nothing here can answer a human request.
        Interrupted: Ctrl-C.
    """
    import duvo

    choice = options.on_request(client, args, limit.deadline, shown=False)
    try:
        with _detachable(run, args), _status_line(run):
            run.wait(timeout=limit.left, on_request=choice, answers=args.answer)
    except (duvo.WaitTimeout, duvo.HumanRequestPending) as error:
        if args.json:
            run_end.print_document(run)
        if isinstance(error, duvo.HumanRequestPending):
            raise _unanswered(error, args, shown=False) from None
        raise _timed_out(run, args) from None
    if args.json:
        run_end.print_document(run)
    elif run.status == "completed":
        run_end.print_answer(run)
    if run.status != "completed":
        run_end.say_end(run)
    return run_end.exit_code(run)


def _unanswered(
    error: HumanRequestPending, args: argparse.Namespace, *, shown: bool
) -> CommandFailed:
    if error.request is not None and not shown:
        options.show(error.request, args)
    run = f"run {error.run.id}" if error.run is not None else "the run"
    return CommandFailed(
        f"{run} is waiting for a human, and nothing here can answer", REQUEST_PENDING
    )


def _timed_out(run: Run, args: argparse.Namespace) -> CommandFailed:
    within = f"run {run.id} did not end within {args.timeout:g} s"
    return CommandFailed(f"{within} and continues: {_next_steps(run, args)}", TIMED_OUT)


def _next_steps(run: Run, args: argparse.Namespace) -> str:
    follow = command_line(args, "runs", "messages", run.id, "--follow")
    stop = command_line(args, "runs", "stop", run.id)
    return f"follow it with `{follow}`, stop it with `{stop}`"


def _json_lines() -> Callable[[Any], None]:
    from .output import json

    return lambda message: json.print_line(message.to_dict())


def _text_lines(args: argparse.Namespace) -> Callable[[Any], None]:
    from .output.conversation import on_stdout

    conversation = on_stdout(args)
    return lambda message: terminal.write("\n".join(conversation.lines(message)))


@contextmanager
def _detachable(run: Run, args: argparse.Namespace) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"detached; run {run.id} continues: {_next_steps(run, args)}") from None


@contextmanager
def _status_line(run: Run) -> Iterator[None]:
    if not terminal.is_terminal(sys.stderr):
        yield
        return
    from .output.live import StatusLine

    def describe() -> str:
        import duvo

        try:
            return f"run {run.id[:8]} {run.status}"
        except duvo.NotLoaded:
            return f"run {run.id[:8]}"

    with StatusLine(describe):
        yield
