"""`duvo agents list`: list the agents."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

import duvo

from ...client import client_of
from ...output import listing
from ...parser import Parser, count

_COLUMNS: dict[str, Callable[[duvo.Agent], str]] = {
    "ID": lambda agent: agent.id,
    "NAME": lambda agent: agent.name,
}


def register(parser: Parser) -> None:
    parser.add_argument("--limit", type=count, metavar="N", help="at most N agents (all)")
    listing.add_quiet(parser)
    parser.explain(
        examples="""
duvo agents list
duvo agents list --json | jq -r '.agents[] | .id + " " + .name'
"""
    )


def run(args: Namespace) -> int:
    with client_of(args) as client:
        agents = client.agents.list(limit=args.limit)
        found = list(agents)
    document = {
        "agents": [agent.raw for agent in found],
        "total": agents.total,
        "limit": len(found) if args.limit is None else args.limit,
        "offset": 0,
    }
    empty = None if agents.more else "no agents"
    listing.show(args, found, _COLUMNS, document, empty=empty)
    if agents.more:
        listing.say_more(args, len(found), agents.total, "a larger --limit, or none,")
    return 0
