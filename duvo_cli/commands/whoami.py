"""`duvo whoami`: whose key it is, and where it leads."""

from __future__ import annotations

from ..client import client_of
from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ..parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.explain(examples="duvo whoami\nduvo whoami --profile work --json")


def run(args: argparse.Namespace) -> int:
    """Show it; returns the exit code."""
    with client_of(args) as client:
        who = client.whoami()
        profile = client.settings.profile
    if args.json:
        from ..output import json

        json.print_document({**who.raw, "team_id": who.team_id, "base_url": who.base_url})
        return 0
    from ..output.table import fields

    names = {team.id: team.name for team in who.teams}
    teams = [f"{team.id} {team.name}" for team in who.teams if team.id != who.team_id]
    in_force = f"{who.team_id} {names.get(who.team_id, '')}" if who.team_id else ""
    person = f"{who.profile.name or ''} <{who.profile.email}>".strip()
    terminal.write(
        "\n".join(
            fields(
                [
                    ("User", person),
                    ("Team", in_force or "several: name one with --team"),
                    ("Other teams" if in_force else "Teams", ", ".join(teams)),
                    ("Server", who.base_url),
                    ("Profile", profile or "none: the key is of the environment"),
                ]
            )
        )
    )
    return 0
