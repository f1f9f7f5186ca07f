"""`duvo agents list`: list the agents."""

from __future__ import annotations

import sys

from ...client import client_of
from ...output import terminal
from ...parser import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Agent

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("--limit", type=count, metavar="N", help="at most N (all)")
    parser.explain(
        examples="""
duvo agents list
duvo agents list --json | jq -r '.agents[] | .id + " " + .name'
"""
    )


def run(args: argparse.Namespace) -> int:
    """List them; returns the exit code."""
    with client_of(args) as client:
        listed = client.agents.list(limit=args.limit)
        agents = list(listed)
    if args.json:
        from ...output import json

        json.print_document(
            {
                "agents": [agent.raw for agent in agents],
                "total": listed.total,
                "limit": len(agents) if args.limit is None else args.limit,
                "offset": 0,
            }
        )
    else:
        terminal.write("\n".join(_lines(agents)))
    if listed.more:
        of = f" of {listed.total}" if listed.total is not None else ""
        terminal.say(f"these are {len(agents)}{of}; a larger --limit, or none, shows more")
    return 0


def _lines(agents: list[Agent]) -> list[str]:
    from ...output.table import table

    if not agents:
        return ["no agents"]
    return table(
        ("ID", "NAME"), [(agent.id, agent.name) for agent in agents], terminal.width(sys.stdout)
    )
