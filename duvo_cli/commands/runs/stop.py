"""`duvo runs stop`: stop a run."""

from __future__ import annotations

import sys
from argparse import Namespace

import duvo

from ...client import client_of, each_run
from ...errors import ERROR, CommandFailed
from ...output import details, terminal
from ...parser import RUN, Parser, identifier

_STOP_TIMEOUT = 10.0


def register(parser: Parser) -> None:
    parser.add_argument("run_ids", nargs="+", type=identifier, metavar="RUN", help=RUN)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask for confirmation")
    parser.explain(
        "Asks for confirmation in a terminal, unless -y is given. A run that has already\n"
        "ended stays as it is, without an error.",
        examples="""
duvo runs stop "$RUN_ID"
duvo runs stop $(duvo runs list --status running -q)
""",
    )


def run(args: Namespace) -> int:
    with client_of(args) as client:
        return each_run(client, args, _stop)


def _stop(client: duvo.Client, handle: duvo.Run, args: Namespace) -> int:
    if not args.yes and terminal.is_terminal(sys.stdin):
        handle.refresh()
        if not handle.is_finished and not _confirmed(handle):
            terminal.say("not stopped")
            return ERROR
    handle.stop()
    if not handle.is_finished:
        _wait_for_the_end(handle)
    stopped = handle.status == "stopped"
    end = "stopped" if stopped else f"had already {handle.status}"
    document = {"success": stopped, **handle.to_dict()}
    details.show_each(args, len(args.run_ids), document, lambda: [f"run {handle.id} {end}"])
    return 0


def _confirmed(handle: duvo.Run) -> bool:
    with terminal.hidden():
        question = f"Stop run {handle.id} ({handle.status})? [y/N] "
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _wait_for_the_end(handle: duvo.Run) -> None:
    try:
        handle.wait(timeout=_STOP_TIMEOUT, on_request="leave")
    except duvo.WaitTimeout as error:
        if error.was_read:
            problem = f"is still {handle.status} after {_STOP_TIMEOUT:g} s"
        else:
            problem = f"could not be read for {_STOP_TIMEOUT:g} s ({error.__cause__})"
        raise CommandFailed(f"run {handle.id} accepted the stop, but {problem}") from None
