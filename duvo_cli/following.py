"""Following a run and waiting for its end: what `start`, `wait` and `messages` share."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager

from . import terminal
from .errors import CommandFailed, Interrupted, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from duvo import Client, HumanRequest, HumanRequestPending, Run

    from .conversation import Conversation
    from .parser import Parser

TOTAL = "seconds in all; then the exit code is 124, and the run goes on"

_FAILED = 4
_STOPPED = 5
_NOBODY_ANSWERS = 6
_TIME_IS_UP = 124


def add_options(parser: Parser) -> None:
    """Add what to do when the run asks a human."""
    group = parser.add_argument_group("when the run asks a human, while waiting or following")
    group.add_argument(
        "--on-request",
        choices=("ask", "approve", "deny", "fail", "leave"),
        help="ask: prompt here; approve, deny: reply so to every approval; fail: end with exit "
        "code 6; leave: show it, and go on until it is answered elsewhere (the default)",
    )
    group.add_argument(
        "--answer",
        action="append",
        default=[],
        type=key_and_text,
        metavar="KEY=TEXT",
        help="a standing answer to the question of that key, text or number; may be repeated",
    )


def key_and_text(text: str) -> str:
    """A `KEY=TEXT` as an argument's type; which part is the key is known with the question."""
    if "=" not in text[1:]:
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=TEXT")
    return text


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


def check_options(args: argparse.Namespace, command: str, *, waits: bool = True) -> None:
    """Refuse what cannot work before anything is started.

    Args:
        args: the command line.
        command: the command, without `duvo`.
        waits: whether the command is to wait or to follow.

    Raises:
        CommandFailed: there is no terminal to ask in.
        UsageError: a reply to requests is given to a command that will meet none.
    """
    if not waits and (args.on_request or args.answer):
        name = "--on-request" if args.on_request else "--answer"
        raise UsageError(f"{command}: {name} goes with waiting or following", command)
    if args.on_request == "ask":
        from .asking import check_terminal

        check_terminal()


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
    choice = _on_request(client, args, patience, shown_by_follow=not args.json)
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
        from . import json_output

        json_output.print_line(run.to_dict())
    _tell_end(run)
    return outcome_code(run) if args.exit_status else 0


def wait(client: Client, run: Run, args: argparse.Namespace, patience: Patience) -> int:
    """Wait for the run's end, and print what came of it.

    Returns:
        The exit code, which tells how it ended.

    Raises:
        DuvoError: it cannot be read, the time is up, or nothing here may answer.
        Interrupted: Ctrl-C.
    """
    import duvo

    choice = _on_request(client, args, patience, shown_by_follow=False)
    try:
        with _detachable(run, args), _watched(run):
            run.wait(timeout=patience.left, on_request=choice, answers=args.answer)
    except (duvo.WaitTimeout, duvo.HumanRequestPending) as error:
        if args.json:
            _print_outcome(run)
        if isinstance(error, duvo.HumanRequestPending):
            raise _nobody_answers(error, args, shown=False) from None
        raise _time_is_up(run, args) from None
    if args.json:
        _print_outcome(run)
    elif run.status == "completed":
        _print_answer(run)
    if run.status != "completed":
        _tell_end(run)
    return outcome_code(run)


def outcome_code(run: Run) -> int:
    """The exit code for how the run ended."""
    return {"failed": _FAILED, "stopped": _STOPPED}.get(run.status, 0)


def _on_request(
    client: Client, args: argparse.Namespace, patience: Patience, *, shown_by_follow: bool
) -> Any:
    if args.on_request == "ask":
        from .asking import Asker

        return Asker(client, args, patience.deadline, shows=not shown_by_follow)
    if args.on_request in (None, "leave"):
        return None if shown_by_follow else _left(args)
    return "raise" if args.on_request == "fail" else args.on_request


def _left(args: argparse.Namespace) -> Callable[[HumanRequest], None]:
    def leave(request: HumanRequest) -> None:
        terminal.say(f"run {request.run_id} waits for a human:")
        _show(request, args)

    return leave


def _nobody_answers(
    error: HumanRequestPending, args: argparse.Namespace, *, shown: bool
) -> CommandFailed:
    if error.request is not None and not shown:
        _show(error.request, args)
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


def _show(request: HumanRequest, args: argparse.Namespace) -> None:
    from . import human_request

    lines = human_request.lines(request, args, terminal.paint_for(sys.stderr))
    terminal.write_aside([f"  {line}" for line in lines])


def _json_line(message: Any) -> None:
    from . import json_output

    json_output.print_line(message.to_dict())


def _text_lines(args: argparse.Namespace) -> Callable[[Any], None]:
    conversation = conversation_for(args)
    return lambda message: terminal.write("\n".join(conversation.lines(message)))


def conversation_for(args: argparse.Namespace) -> Conversation:
    """What writes messages for people on this stdout."""
    from .conversation import Conversation

    return Conversation(args, terminal.paint_for(sys.stdout), terminal.width(sys.stdout))


def _print_outcome(run: Run) -> None:
    import duvo

    from . import json_output

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
    json_output.print_document({**known, **told})


def _print_answer(run: Run) -> None:
    import duvo

    try:
        answer = run.answer
    except duvo.NotLoaded:
        return
    if answer is None:
        terminal.say(f"run {run.id} completed and said nothing")
    else:
        terminal.write(terminal.harmless(answer) if terminal.is_terminal(sys.stdout) else answer)


def _tell_end(run: Run) -> None:
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
    from .status_line import StatusLine

    def describe() -> str:
        import duvo

        try:
            return f"run {run.id[:8]} {run.status}"
        except duvo.NotLoaded:
            return f"run {run.id[:8]}"

    with StatusLine(describe):
        yield
