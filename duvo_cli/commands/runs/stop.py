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
        "Asks once for confirmation in a terminal, unless -y is given. A run that has already\n"
        "ended stays as it is, without an error.",
        examples="""
duvo runs stop "$RUN_ID"
duvo runs stop $(duvo runs list --status running -q)
""",
    )


def run(args: Namespace) -> int:
    with client_of(args) as client:
        if not args.yes and terminal.is_terminal(sys.stdin) and not _confirmed(client, args):
            terminal.say("not stopped")
            return ERROR
        return each_run(client, args, _stop)


def _stop(client: duvo.Client, handle: duvo.Run, args: Namespace) -> int:
    handle.stop()
    if not handle.is_finished:
        _wait_for_the_end(handle)
    stopped = handle.status == "stopped"
    end = "stopped" if stopped else f"had already {handle.status}"
    document = {"success": stopped, **handle.to_dict()}
    details.show_each(args, len(args.run_ids), document, lambda: [f"run {handle.id} {end}"])
    return 0


def _confirmed(client: duvo.Client, args: Namespace) -> bool:
    """Ask once for all runs; a single run that has ended needs no confirmation."""
    run_ids = {run_id.casefold() for run_id in args.run_ids}
    if len(run_ids) > 1:
        text = f"{len(run_ids)} runs"
    else:
        handle = client.runs.find(args.run_ids[0]).refresh()
        if handle.is_finished:
            return True
        text = _described(client, handle)
    with terminal.hidden():
        question = f"Stop {text}? [y/N] "
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _described(client: duvo.Client, handle: duvo.Run) -> str:
    """A run in words that a person knows: its agent and title, and the start of its id."""
    listed = handle
    if handle.agent_name is None:
        # Only lists have names.
        try:
            newest = client.runs.list(agent=handle.agent_id, limit=100)
            listed = next((run for run in newest if run.id == handle.id), handle)
        except duvo.DuvoError:
            pass
    words = dict.fromkeys((listed.agent_name or handle.agent_id, listed.title))
    names = "".join(f"{terminal.in_one_line(word)}, " for word in words if word)
    return f"run {handle.id[:8]} ({names}{handle.status})"


def _wait_for_the_end(handle: duvo.Run) -> None:
    try:
        handle.wait(timeout=_STOP_TIMEOUT, on_request="leave")
    except duvo.WaitTimeout as error:
        if error.was_read:
            problem = f"is still {handle.status} after {_STOP_TIMEOUT:g} s"
        else:
            problem = f"could not be read for {_STOP_TIMEOUT:g} s ({error.__cause__})"
        raise CommandFailed(f"run {handle.id} accepted the stop, but {problem}") from None
