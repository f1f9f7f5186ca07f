"""Who replies when a run asks a human while the command waits for it."""

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


_ASK = "ask: prompt here; "
_REPLY = (
    "approve, deny: reply so to every approval; fail: end with exit code 6; leave: show it, and "
    "go on until it is answered elsewhere (the default)"
)


def add_options(parser: Parser, *, asks: bool = True) -> None:
    """Add what to do when the run asks a human.

    Args:
        parser: of the command.
        asks: whether there may be somebody to ask here.
    """
    group = parser.add_argument_group("when the run asks a human, while waiting or following")
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
        help="a standing answer to the question of that key, text or number; may be repeated",
    )


def key_and_text(text: str) -> str:
    """A `KEY=TEXT` as an argument's type; which part is the key is known with the question."""
    if "=" not in text[1:]:
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=TEXT")
    return text


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
        from .prompt import check_terminal

        check_terminal(
            "--on-request ask",
            "give --on-request approve, deny, fail or leave, and --answer for questions",
        )


def on_request(
    client: Client, args: argparse.Namespace, deadline: float | None, *, shown: bool
) -> Any:
    """What the SDK takes as `on_request`.

    Args:
        client: the client.
        args: the command line.
        deadline: when the time is up, on `time.monotonic`, or None.
        shown: whether requests are shown anyway, as messages are.
    """
    if args.on_request == "ask":
        from .prompt import Asker

        return Asker(client, args, deadline, shows=not shown)
    if args.on_request in (None, "leave"):
        return None if shown else _left(args)
    return "raise" if args.on_request == "fail" else args.on_request


def _left(args: argparse.Namespace) -> Callable[[HumanRequest], None]:
    def leave(request: HumanRequest) -> None:
        terminal.say(f"run {request.run_id} waits for a human:")
        show(request, args)

    return leave


def show(request: HumanRequest, args: argparse.Namespace) -> None:
    """Show a request on stderr, with the commands that answer it."""
    from ..output import human_request

    lines = human_request.lines(request, args, terminal.paint_for(sys.stderr))
    terminal.write_aside([f"  {line}" for line in lines])
