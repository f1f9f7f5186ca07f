"""`duvo runs list`: list runs."""

from __future__ import annotations

import sys

from ...client import client_of
from ...output import terminal
from ...output.times import since
from ...parser import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Run

    from ...parser import Parser

_DEFAULT_LIMIT = 30


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--status", metavar="S", help="pending, running, waiting, completed, failed, stopped, …"
    )
    parser.add_argument("--agent", metavar="AGENT", help="an agent's id or exact name")
    parser.add_argument(
        "--since", type=since, metavar="T", help="created since: 30m, 2h, 7d, a date or an ISO time"
    )
    parser.add_argument("--user", metavar="ID", help="started by this user")
    parser.add_argument("--case-queue", metavar="ID", help="of the cases of this queue")
    parser.add_argument("--source", metavar="S", help="started from there, such as api or ui")
    parser.add_argument("--search", metavar="WORDS", help="with these words")
    issues = parser.add_mutually_exclusive_group()
    issues.add_argument(
        "--has-issues", action="store_true", default=None, help="whose evaluation found issues"
    )
    issues.add_argument(
        "--no-issues", action="store_false", dest="has_issues", help="whose evaluation found none"
    )
    parser.add_argument("--issue-severity", metavar="S", help="critical, medium or low")
    parser.add_argument("--sort", choices=("asc", "desc"), default="desc", help="by creation")
    parser.add_argument("--offset", type=count, default=0, metavar="N", help="leave out N first")
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "--limit", type=count, default=_DEFAULT_LIMIT, metavar="N", help="at most N (30)"
    )
    many.add_argument("--all", action="store_true", help="all that there are")
    parser.explain(
        examples="""
duvo runs list --status waiting
duvo runs list --agent "Invoice approver" --since 2h
duvo runs list --all --json | jq -r '.data[].id'
"""
    )


def run(args: argparse.Namespace) -> int:
    """List them; returns the exit code."""
    with client_of(args) as client:
        listed = client.runs.list(
            status=args.status,
            agent=args.agent,
            since=args.since,
            user_id=args.user,
            case_queue_id=args.case_queue,
            source=args.source,
            search=args.search,
            has_issues=args.has_issues,
            issue_severity=args.issue_severity,
            sort_order=args.sort,
            limit=None if args.all else args.limit,
            offset=args.offset,
        )
        runs = list(listed)
    if args.json:
        from ...output import json

        data = [one.to_dict()["run"] for one in runs]
        json.print_document({"data": data, "total": listed.total})
    else:
        terminal.write("\n".join(_lines(runs)))
    if listed.more:
        of = f" of {listed.total}" if listed.total is not None else ""
        terminal.say(f"these are {len(runs)}{of}; --all or a larger --limit shows more")
    return 0


def _lines(runs: list[Run]) -> list[str]:
    from ...output.table import table
    from ...output.times import local

    if not runs:
        return ["no runs"]
    return table(
        ("ID", "STATUS", "AGENT", "CREATED", "TITLE"),
        [
            (
                one.id,
                one.status,
                one.agent_name or one.agent_id or "",
                local(one.created_at),
                one.title or "",
            )
            for one in runs
        ],
        terminal.width(sys.stdout),
    )
