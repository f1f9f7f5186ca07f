"""`duvo runs watch`: watch many runs until all have ended."""

from __future__ import annotations

import sys

from ... import following
from ...client import client_of, command_line
from ...errors import CommandFailed, Interrupted, UsageError
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import os
    from collections.abc import Iterator

    from duvo import Client, Run

    from ...parser import Parser

_UNFINISHED = ("not_started", "pending", "starting", "running", "waiting")
_ENDED = ("completed", "failed", "stopped", "interrupted")
_TIME_IS_UP = 124


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_ids", nargs="*", metavar="RUN", help="a run's id")
    parser.add_argument(
        "--agent", metavar="AGENT", help="in place of RUN: those of this agent: its id or name"
    )
    parser.add_argument(
        "--status", metavar="S", help="in place of RUN: those that are pending, running, waiting, …"
    )
    parser.add_argument("--messages", action="store_true", help="their messages too")
    parser.add_argument(
        "--exit-status",
        action="store_true",
        help="exit with 4 when a run failed, 5 when one was stopped",
    )
    parser.timeout_help = following.TOTAL.replace("the run goes", "the runs go")
    parser.explain(
        "Without RUN, those that have not ended when it begins. In a terminal it is a\n"
        "table that follows what happens, and leaves when all have ended. Elsewhere, and\n"
        "with --json, it is one JSON object a line for each thing that happens.",
        examples="""
duvo runs watch
duvo runs watch --agent "Invoice approver" --messages
duvo runs watch "$RUN_ID" "$ANOTHER" --exit-status
duvo runs watch | jq -r 'select(.type=="finished") | .run.id + " " + .run.status'
""",
        notes='A line is {"type": …, "run": …}; the type is status, message, human_request or\n'
        'finished, and "message" or "request" stands beside the run where there is one.',
    )


def run(args: argparse.Namespace) -> int:
    """Watch them; returns the exit code."""
    if args.run_ids and (args.agent is not None or args.status is not None):
        raise UsageError("runs watch: give RUN, or --agent and --status", "runs watch")
    if args.status in _ENDED:
        raise UsageError(
            f"runs watch: a run that is {args.status} has ended; "
            f"`duvo runs list --status {args.status}` shows such runs",
            "runs watch",
        )
    patience = following.Patience(args.timeout)
    with client_of(args, waits=True) as client:
        runs = list(_runs(client, args))
        if not runs:
            terminal.say("no run to watch")
            return 0
        return _watch(client, runs, args, patience)


def _runs(client: Client, args: argparse.Namespace) -> Iterator[Run]:
    if args.run_ids:
        yield from map(client.runs.run, dict.fromkeys(args.run_ids))
        return
    seen = set()
    statuses = _UNFINISHED if args.status is None else (args.status,)
    # Twice: a run that is answered meanwhile has a status again whose list was read already,
    # and one that leaves a list shifts its next page.
    for status in statuses * 2:
        for one in client.runs.list(status=status, agent=args.agent, sort_order="asc"):
            if not one.is_finished and one.id not in seen:
                seen.add(one.id)
                yield one


def _watch(
    client: Client, runs: list[Run], args: argparse.Namespace, patience: following.Patience
) -> int:
    import duvo

    from ...output import run_end

    show = _json_lines if args.json or not terminal.is_terminal(sys.stdout) else _table
    try:
        show(client, runs, args, patience)
    except duvo.WaitTimeout:
        text = f"within {args.timeout:g} s not all ended; {_how_to_go_on(runs, args)}"
        raise CommandFailed(text, _TIME_IS_UP) from None
    except KeyboardInterrupt:
        raise Interrupted(f"detached; {_how_to_go_on(runs, args)}") from None
    codes = {run_end.exit_code(one) for one in runs}
    return min(codes - {0}, default=0) if args.exit_status else 0


def _json_lines(
    client: Client, runs: list[Run], args: argparse.Namespace, patience: following.Patience
) -> None:
    from ...output import json
    from ...output.status_line import StatusLine

    with (
        StatusLine(lambda: "watching"),
        client.runs.watch(runs, args.messages, timeout=patience.left) as events,
    ):
        for event in events:
            json.print_line(event.to_dict())


def _table(
    client: Client, runs: list[Run], args: argparse.Namespace, patience: following.Patience
) -> None:
    from ...output.live import Live
    from ...output.watch_table import WatchTable

    table = WatchTable(runs, terminal.paint_for(sys.stdout))

    def describe(size: os.terminal_size) -> list[str]:
        return table.lines(size.columns, size.lines)

    with (
        Live(sys.stdout, describe, stays=True) as live,
        client.runs.watch(runs, args.messages, timeout=patience.left) as events,
    ):
        live.draw()
        for event in events:
            table.note(event)
            live.draw()


def _how_to_go_on(runs: list[Run], args: argparse.Namespace) -> str:
    words = ["runs", "watch", *args.run_ids]
    for flag, value in (("--agent", args.agent), ("--status", args.status)):
        words += [flag, value] if value is not None else []
    words += ["--messages"] if args.messages else []
    again = command_line(args, *words)
    return f"the runs go on: watch them again with `{again}`"
