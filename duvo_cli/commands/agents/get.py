"""`duvo agents get`: show one agent."""

from __future__ import annotations

from ...client import client_of, command_line
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("agent", metavar="AGENT", help="its id or exact name")
    parser.explain(examples='duvo agents get "Invoice approver"')


def run(args: argparse.Namespace) -> int:
    """Show it; returns the exit code."""
    with client_of(args) as client:
        agent = client.agents.get(args.agent)
    if args.json:
        from ...output import json

        json.print_document({"agent": agent.raw})
        return 0
    from ...output.table import fields
    from ...output.times import local

    description = agent.raw.get("description")
    lines = fields(
        [
            ("Agent", agent.id),
            ("Name", agent.name),
            ("About", description if isinstance(description, str) else ""),
            ("Team", agent.team_id or ""),
            ("Created", local(agent.created_at)),
            ("Changed", local(agent.updated_at)),
            ("Last run", local(agent.last_run_at)),
            ("Start it", command_line(args, "runs", "start", "--agent", agent.id, "--follow")),
        ]
    )
    terminal.write("\n".join(lines))
    return 0
