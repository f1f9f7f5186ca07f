"""`duvo runs stop`: stop a run."""

from __future__ import annotations

import sys

from ...client import client_of
from ...errors import CommandFailed
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Run

    from ...parser import Parser

_LONGEST_TO_STOP = 10.0


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_id", metavar="RUN", help="the run's id")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.explain(
        "Asks in a terminal, unless -y is given. A run that has already ended stays as\n"
        "it is, which is no error.",
        examples="""
duvo runs stop "$RUN_ID"
duvo runs list --status running --json | jq -r '.data[].id' | xargs -I ID duvo runs stop ID
""",
    )


def run(args: argparse.Namespace) -> int:
    """Stop it; returns the exit code."""
    with client_of(args) as client:
        handle = client.runs.run(args.run_id)
        if not args.yes and terminal.is_terminal(sys.stdin):
            handle.refresh()
            if not handle.is_finished and not _confirmed(handle):
                terminal.say("not stopped")
                return 1
        handle.stop()
        if not handle.is_finished:
            _wait_for_the_end(handle)
    if args.json:
        from ...output import json

        stopped = handle.status == "stopped"
        json.print_document({"success": stopped, **handle.to_dict()})
    elif handle.status == "stopped":
        terminal.write(f"run {handle.id} stopped")
    else:
        terminal.write(f"run {handle.id} had {handle.status} before")
    return 0


def _confirmed(handle: Run) -> bool:
    with terminal.hidden():
        print(f"Stop run {handle.id}, which is {handle.status}? [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _wait_for_the_end(handle: Run) -> None:
    import duvo

    try:
        handle.wait(timeout=_LONGEST_TO_STOP, on_request="leave")
    except duvo.WaitTimeout:
        raise CommandFailed(
            f"run {handle.id} was told to stop, and still is {handle.status}"
        ) from None
