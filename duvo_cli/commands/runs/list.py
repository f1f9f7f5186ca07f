"""`duvo runs list`: list runs."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial

import duvo

from ...client import client_of
from ...output import listing
from ...output.times import add_period, iso, moment
from ...parser import Parser, count, identifier, statuses

_DEFAULT_LIMIT = 30
_COLUMNS: dict[str, Callable[[duvo.Run], str]] = {
    "ID": lambda run: run.id,
    "STATUS": lambda run: run.status,
    "AGENT": lambda run: run.agent_name or run.agent_id or "",
    "TITLE": lambda run: run.title or "",
    "CREATED": lambda run: iso(run.created_at),
    "ENDED": lambda run: iso(run.completed_at),
}


def register(parser: Parser) -> None:
    parser.add_argument(
        "--status",
        action="extend",
        type=statuses,
        metavar="S",
        help="pending, running, waiting, completed, failed, stopped, …; may be repeated, or name "
        "several with commas",
    )
    parser.add_argument(
        "--agent", type=identifier, metavar="AGENT", help="runs of this agent: its id or name"
    )
    add_period(parser)
    parser.add_argument(
        "--completed-since", type=moment, metavar="T", help="ended since: as for --since"
    )
    parser.add_argument(
        "--completed-until", type=moment, metavar="T", help="ended by then: as for --since"
    )
    parser.add_argument("--user", type=identifier, metavar="ID", help="started by this user")
    parser.add_argument(
        "--case-queue", type=identifier, metavar="ID", help="of cases in this queue"
    )
    parser.add_argument("--source", metavar="S", help="started from this source, such as api or ui")
    parser.add_argument("--search", metavar="WORDS", help="matching these words")
    issues = parser.add_mutually_exclusive_group()
    issues.add_argument(
        "--has-issues", action="store_true", default=None, help="whose evaluation found issues"
    )
    issues.add_argument(
        "--no-issues", action="store_false", dest="has_issues", help="whose evaluation found none"
    )
    parser.add_argument("--issue-severity", metavar="S", help="critical, medium or low")
    parser.add_argument(
        "--sort", choices=("asc", "desc"), default="desc", help="order by creation time (desc)"
    )
    parser.add_argument("--offset", type=count, default=0, metavar="N", help="skip the first N")
    listing.add_quiet(parser)
    parser.add_argument("--wide", action="store_true", help="whole ids and times; cut nothing")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--limit", type=count, metavar="N", help=f"at most N runs ({_DEFAULT_LIMIT})")
    many.add_argument("--all", action="store_true", help="list all runs")
    parser.explain(
        examples="""
duvo runs list --status failed,stopped
duvo runs list --agent "Invoice approver" --since 2h
duvo runs list --status failed --completed-since 2026-01-31
duvo runs list --all --json | jq -r '.data[].id'
""",
        notes="Where stdout is not a terminal, a line is: id, status, agent, title, creation and\n"
        "end, separated by tabs, without a head. A time without a zone is local time, and\n"
        "a date is its midnight. With --since or --until, the total in the JSON is null if\n"
        "--limit cut the list.",
    )


def run(args: Namespace) -> int:
    # No default of argparse, which would not notice --limit 30 beside --all.
    limit = _DEFAULT_LIMIT if args.limit is None else args.limit
    with client_of(args) as client:
        runs = client.runs.list(
            status=args.status,
            agent=args.agent,
            since=args.since,
            until=args.until,
            user_id=args.user,
            case_queue_id=args.case_queue,
            source=args.source,
            search=args.search,
            has_issues=args.has_issues,
            issue_severity=args.issue_severity,
            completed_since=args.completed_since,
            completed_until=args.completed_until,
            sort_order=args.sort,
            limit=None if args.all else limit,
            offset=args.offset,
        )
        found = list(runs)
    data = [run.to_dict()["run"] for run in found] if args.json else []
    document = {"data": data, "total": runs.total}
    in_terminal = partial(_lines, wide=args.wide)
    empty = None if runs.more else "no runs"
    listing.show(args, found, _COLUMNS, document, empty=empty, in_terminal=in_terminal)
    if runs.more:
        listing.say_more(args, len(found), runs.total, "--all or a larger --limit")
    return 0


def _lines(runs: Sequence[duvo.Run], *, wide: bool) -> list[str]:
    from ...output import run_rows, terminal

    rows = [run_rows.row_of(run) for run in runs]
    columns, paint = terminal.width(sys.stdout), terminal.paint_for(sys.stdout)
    return run_rows.lines(rows, columns, paint, datetime.now(timezone.utc), wide=wide)
