"""`--on-request` and `--answer`: how a command that follows or waits answers human requests."""

from __future__ import annotations

import argparse
import sys
from functools import partial

import duvo

from ..errors import UsageError
from ..input import text
from ..output import human_request, terminal
from ..parser import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ASK = "ask: prompt in this terminal (the default where there is one, without --json); "
_REPLY = (
    "approve, deny: answer every approval; fail: exit with 6; leave: show the request and wait "
    "until it is answered elsewhere (the default{elsewhere})"
)


def add_options(parser: Parser, *, asks: bool = True) -> None:
    """Add the options that say how human requests are answered; `asks` offers a prompt."""
    group = parser.add_argument_group("human requests, while waiting or following")
    group.add_argument(
        "--on-request",
        choices=(*(("ask",) if asks else ()), "approve", "deny", "fail", "leave"),
        help=(_ASK if asks else "") + _REPLY.format(elsewhere=" otherwise" if asks else ""),
    )
    group.add_argument(
        "--answer",
        action="append",
        default=[],
        type=key_and_text,
        metavar="KEY=TEXT",
        help=f"answer the question with this key, text or number; may be repeated; {text.ALSO}",
    )


def key_and_text(argument: str) -> str:
    """An argument type: `KEY=TEXT`, to be split once the question is known.

    TEXT may be `-` or `@FILE`, whose last newline is not part of the answer.
    """
    if "=" not in argument[1:]:
        raise argparse.ArgumentTypeError(f"{argument!r} is not KEY=TEXT")
    key, _, answer = argument.partition("=")
    read = text.text_of(answer)
    if not read.strip():
        why = "is the variable set?" if read == answer else f"{answer} has no text"
        raise argparse.ArgumentTypeError(f"the answer to {key!r} is empty: {why}")
    return argument if read == answer else f"{key}={read.removesuffix(chr(10))}"


def check_options(args: argparse.Namespace, command: str, *, waits: bool = True) -> None:
    """Refuse options that cannot work, before anything is started.

    Without `--on-request`, a command that waits in a terminal asks there.
    """
    if not waits:
        for name in ("on_request", "answer", "exit_status"):
            if getattr(args, name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} goes with waiting or following", command)
    if args.on_request == "ask":
        from .prompt import check_terminal

        check_terminal(
            "--on-request ask",
            "give --on-request approve, deny, fail or leave, and --answer for questions",
        )
    elif waits and args.on_request is None and not args.json and terminal.can_prompt():
        args.on_request = "ask"


def on_request(
    client: duvo.Client, args: argparse.Namespace, deadline: float | None, *, shown: bool
) -> Any:
    """The SDK's `on_request` for these options; `shown` if requests are shown as messages."""
    if args.on_request == "ask":
        from .prompt import Prompt

        on_screen = shown and terminal.is_terminal(sys.stdout)
        return Prompt(client, args, deadline, shows=not on_screen)
    if args.on_request in (None, "leave"):
        return None if shown else partial(_announce, args)
    return "raise" if args.on_request == "fail" else args.on_request


def _announce(args: argparse.Namespace, request: duvo.HumanRequest) -> None:
    terminal.say(f"run {request.run_id} is waiting for a human:")
    show(request, args)


def show(request: duvo.HumanRequest, args: argparse.Namespace) -> None:
    """Show a request on stderr, with the commands that answer it."""
    lines = human_request.lines(request, args, terminal.paint_for(sys.stderr))
    terminal.write_aside([f"  {line}" for line in lines])
