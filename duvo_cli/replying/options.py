"""`--on-request` and `--answer`: how a command that follows or waits answers human requests."""

from __future__ import annotations

import argparse
import sys

from ..errors import UsageError
from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from duvo import Client, HumanRequest

    from ..parser import Parser


_ASK = "ask: prompt in this terminal; "
_REPLY = (
    "approve, deny: answer every approval; fail: exit with 6; leave: show the request and wait "
    "until it is answered elsewhere (the default)"
)


def add_options(parser: Parser, *, asks: bool = True) -> None:
    """Add the options that say how human requests are answered.

    Args:
        parser: the command's parser.
        asks: whether the command can prompt.
    """
    group = parser.add_argument_group("human requests, while waiting or following")
    group.add_argument(
        "--on-request",
        choices=(*(("ask",) if asks else ()), "approve", "deny", "fail", "leave"),
        help=(_ASK if asks else "") + _REPLY,
    )
    group.add_argument(
        "--answer",
        action="append",
        default=[],
        type=key_and_text,
        metavar="KEY=TEXT",
        help="answer the question with this key, text or number; may be repeated",
    )


def key_and_text(text: str) -> str:
    """An argument type: `KEY=TEXT`, to be split once the question is known."""
    if "=" not in text[1:]:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=TEXT")
    return text


def check_options(args: argparse.Namespace, command: str, *, waits: bool = True) -> None:
    """Refuse options that cannot work before anything is started.

    Args:
        args: the command line.
        command: the command, without `duvo`.
        waits: whether the command is to wait or follow.

    Raises:
        CommandFailed: there is no terminal to prompt in.
        UsageError: the command will not wait for human requests.
    """
    if not waits and (args.on_request or args.answer):
        name = "--on-request" if args.on_request else "--answer"
        raise UsageError(f"{name} goes with waiting or following", command)
    if args.on_request == "ask":
        from .prompt import check_terminal

        check_terminal(
            "--on-request ask",
            "give --on-request approve, deny, fail or leave, and --answer for questions",
        )


def on_request(
    client: Client, args: argparse.Namespace, deadline: float | None, *, shown: bool
) -> Any:
    """The SDK's `on_request` for these options.

    Args:
        client: the client.
        args: the command line.
        deadline: when the time is up, on `time.monotonic`, or None.
        shown: whether requests are shown anyway, as messages are.
    """
    if args.on_request == "ask":
        from .prompt import Prompt

        return Prompt(client, args, deadline, shows=not shown)
    if args.on_request in (None, "leave"):
        return None if shown else _shows(args)
    return "raise" if args.on_request == "fail" else args.on_request


def _shows(args: argparse.Namespace) -> Callable[[HumanRequest], None]:
    def leave(request: HumanRequest) -> None:
        terminal.say(f"run {request.run_id} is waiting for a human:")
        show(request, args)

    return leave


def show(request: HumanRequest, args: argparse.Namespace) -> None:
    """Show a request on stderr, with the commands that answer it."""
    from ..output import human_request

    lines = human_request.lines(request, args, terminal.paint_for(sys.stderr))
    terminal.write_aside([f"  {line}" for line in lines])
