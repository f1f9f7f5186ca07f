"""`duvo runs watch`: watch many runs until all have ended."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator

import duvo

from ... import following, reader
from ...client import client_of
from ...detaching import at_engine_end, detached
from ...errors import TIMED_OUT, CommandFailed, UsageError
from ...output import json, run_end, terminal
from ...output.command_line import command_line
from ...output.times import add_period
from ...parser import ENDED, RUN, UNFINISHED, Parser, identifier, statuses
from ...time_limit import ends_at

_WATCH_AGAIN = "watch them again with:"


def register(parser: Parser) -> None:
    parser.add_argument("run_ids", nargs="*", type=identifier, metavar="RUN", help=RUN)
    parser.add_argument(
        "--agent",
        type=identifier,
        metavar="AGENT",
        help="instead of RUN: the runs of this agent: its id or name",
    )
    parser.add_argument(
        "--status",
        action="extend",
        type=statuses,
        metavar="S",
        help="instead of RUN: the runs that are pending, running, waiting, …; may be repeated, or "
        "name several with commas",
    )
    add_period(parser, "instead of RUN: ")
    parser.add_argument("--messages", action="store_true", help="show messages too")
    parser.add_argument(
        "--exit-status",
        action="store_true",
        help="exit with 4 if a run failed, 5 if one was stopped",
    )
    parser.timeout_help = following.TOTAL
    parser.explain(
        "Without RUN, watches all runs that are unfinished at the beginning. In a\n"
        "terminal it draws a table that follows the runs and ends with the last of them.\n"
        "Elsewhere, in a terminal that cannot redraw lines (TERM=dumb), and with --json,\n"
        "it prints one JSON object per line for each event.",
        examples="""
duvo runs watch
duvo runs watch --agent "Invoice approver" --messages
duvo runs watch "$RUN_ID" "$ANOTHER" --exit-status
duvo runs watch | jq -r 'select(.type=="finished") | .run.id + " " + .run.status'
""",
        notes='A line is {"type": …, "run": …}. The type is status, message, human_request or\n'
        'finished; a "message" or "request" is added where there is one.',
    )


def run(args: Namespace) -> int:
    filters = (args.agent, args.status, args.since, args.until)
    if args.run_ids and any(value is not None for value in filters):
        raise UsageError("give RUN, or --agent, --status, --since and --until", "runs watch")
    for status in args.status or ():
        if status in ENDED:
            raise UsageError(
                f"runs that are {status} have ended; `duvo runs list --status {status}` shows them",
                "runs watch",
            )
    deadline = following.deadline_after(args.timeout)
    with client_of(args, waits=True) as client:
        late = f"the runs could not be listed within {args.timeout or 0:g} s"
        with ends_at(deadline, f"{late}: try again with `{_again(args)}`"):
            runs = list(_runs(client, args))
        if not runs:
            terminal.say("no runs to watch")
            return 0
        return _watch(client, runs, args, deadline)


def _runs(client: duvo.Client, args: Namespace) -> Iterator[duvo.Run]:
    if args.run_ids:
        runs = map(client.runs.find, args.run_ids)
        yield from {run.id: run for run in runs}.values()
        return
    seen = set()
    statuses = args.status or UNFINISHED
    # Twice: a run that is answered in between changes to a status whose list has
    # been read, and a run that leaves a list shifts its next page.
    for status in statuses * 2:
        for run in client.runs.list(status, args.agent, args.since, args.until, sort_order="asc"):
            if not run.is_finished and run.id not in seen:
                seen.add(run.id)
                yield run


def _watch(
    client: duvo.Client, runs: list[duvo.Run], args: Namespace, deadline: float | None
) -> int:
    show = _show_table if terminal.can_redraw(sys.stdout) and not args.json else _show_events
    timeout = following.left_until(deadline)
    try:
        watch = client.runs.watch(runs, args.messages, timeout=timeout)
        with watch as events, reader.needed(events):
            show(events, runs)
    except duvo.WaitTimeout as error:
        if not error.was_read:
            raise CommandFailed(f"{error} with `{_again(args)}`", TIMED_OUT) from None
        late = f"not all runs ended within {args.timeout:g} s; the runs"
        outcome = at_engine_end(args, many=True)
        if outcome is not None:
            raise CommandFailed(f"{late} {outcome}", TIMED_OUT) from None
        text = f"{late} continue; {_WATCH_AGAIN}"
        raise CommandFailed(text, TIMED_OUT, commands=[_again(args)]) from None
    except KeyboardInterrupt:
        raise detached(args, "the runs", _WATCH_AGAIN, [_again(args)], many=True) from None
    codes = {run_end.exit_code(run) for run in runs}
    return min(codes - {0}, default=0) if args.exit_status else 0


def _show_events(events: duvo.Watch, runs: list[duvo.Run]) -> None:
    from ...output.live import StatusLine

    with StatusLine(lambda: "watching"):
        for event in events:
            json.print_line(event.to_dict())


def _show_table(events: duvo.Watch, runs: list[duvo.Run]) -> None:
    from ...output.live import Live
    from ...output.watch_table import WatchTable

    table = WatchTable(runs, terminal.paint_for(sys.stdout))

    def describe(size: os.terminal_size) -> list[str]:
        return table.lines(size.columns, size.lines)

    with Live(sys.stdout, describe, stays=True) as live:
        live.draw()
        for event in events:
            table.record(event)
            live.draw()


def _again(args: Namespace) -> str:
    words = ["runs", "watch", *args.run_ids]
    filters = {
        "--agent": args.agent,
        "--status": args.status and ",".join(args.status),
        "--since": args.since,
        "--until": args.until,
    }
    for flag, value in filters.items():
        if value:
            words += [flag, value if isinstance(value, str) else value.isoformat()]
    words += ["--messages"] if args.messages else []
    return command_line(args, *words)
