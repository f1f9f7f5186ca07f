"""Teams, and whose key it is."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from .. import _errors
from .._http import paths
from .._models import messages, wire
from .._models.build import build
from .._models.checks import understanding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._client import Client
    from .._http.clock import Deadline


@frozen(kw_only=True)
class WhoAmI:
    """Whose key it is, and where it leads.

    Attributes:
        profile: the person.
        teams: the teams that the key sees.
        team_id: the team in force, or None when the key sees several.
        base_url: the API's origin.
        raw: both answers as the API sent them.
    """

    profile: messages.UserProfile
    teams: tuple[messages.Team, ...]
    team_id: str | None
    base_url: str
    raw: dict[str, Any] = field(repr=False, eq=False)


class Teams:
    """The teams that the key sees."""

    def __init__(self, client: Client):
        self._client = client

    def list(self) -> list[messages.Team]:
        """The teams. Sends `GET /v2/teams`.

        Raises:
            DuvoError: the request failed.
        """
        teams = read_teams(self._client)
        with understanding("GET", paths.TEAMS):
            return [build(messages.Team, raw, raw) for raw in teams]


def read_teams(client: Client, deadline: Deadline | None = None) -> list[dict[str, Any]]:
    """The teams that the key sees, as they came."""
    data = client._transport.send("GET", paths.TEAMS, deadline=deadline).data
    with understanding("GET", paths.TEAMS):
        return wire.expect_items(data, "teams")


def whoami(client: Client) -> WhoAmI:
    """Whose key it is; see `Client.whoami`."""
    data = client._transport.send("GET", paths.PROFILE).data
    with understanding("GET", paths.PROFILE):
        raw = wire.expect_dict(wire.expect_dict(data, "the top").get("profile"), "profile")
        profile = build(messages.UserProfile, {**raw, "team_id": raw.get("teamId")}, raw)
    teams = client.teams.list()
    try:
        team_id: str | None = client.team_id
    except _errors.ConfigError:
        team_id = None
    return WhoAmI(
        profile=profile,
        teams=tuple(teams),
        team_id=team_id,
        base_url=client.base_url,
        raw={"profile": raw, "teams": [team.raw for team in teams]},
    )


def derive(client: Client, deadline: Deadline | None = None) -> str:
    """The one team of the key.

    Raises:
        ConfigError: the key sees no team, or several.
    """
    teams = read_teams(client, deadline)
    if len(teams) == 1:
        return str(teams[0]["id"])
    if not teams:
        raise _errors.ConfigError("this key sees no team; ask its creator which team it is for")
    listed = ", ".join(f"{team['id']} ({team.get('name')})" for team in teams)
    raise _errors.ConfigError(
        f"this key sees {len(teams)} teams: name one with --team, team_id= or DUVO_TEAM_ID: "
        + listed
    )
