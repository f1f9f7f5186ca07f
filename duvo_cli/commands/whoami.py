"""`duvo whoami`: show the user, team and server of the API key."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ..client import client_of
from ..output import details
from ..parser import Parser


def register(parser: Parser) -> None:
    parser.explain(examples="duvo whoami\nduvo whoami --profile work --json")


def run(args: Namespace) -> int:
    with client_of(args) as client:
        who = client.whoami()
        profile = client.settings.profile
    document = {**who.raw, "team_id": who.team_id, "base_url": who.base_url}
    details.show(args, document, lambda: _lines(who, profile))
    return 0


def _lines(who: duvo.WhoAmI, profile: str | None) -> list[str]:
    from ..output.table import fields

    names = {team.id: team.name for team in who.teams}
    others = [f"{team.id} {team.name}" for team in who.teams if team.id != who.team_id]
    chosen = f"{who.team_id} {names.get(who.team_id, '')}" if who.team_id else ""
    return fields(
        [
            ("User", f"{who.profile.name or ''} <{who.profile.email}>".strip()),
            ("Team", chosen or "several; choose one with --team"),
            ("Other teams" if chosen else "Teams", ", ".join(others)),
            ("Server", who.base_url),
            ("Profile", profile or "none; the key is from the environment"),
        ]
    )
