"""`duvo agents get`: show one agent."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ...client import client_of
from ...output import details
from ...output.command_line import command_line
from ...parser import Parser, identifier


def register(parser: Parser) -> None:
    parser.add_argument("agent", type=identifier, metavar="AGENT", help="the agent's id or name")
    parser.explain(examples='duvo agents get "Invoice approver"')


def run(args: Namespace) -> int:
    with client_of(args) as client:
        agent = client.agents.get(args.agent)
    details.show(args, {"agent": agent.raw}, lambda: _lines(agent, args))
    return 0


def _lines(agent: duvo.Agent, args: Namespace) -> list[str]:
    from ...output.table import fields
    from ...output.times import local

    description = agent.raw.get("description")
    return fields(
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
