"""Teams, and the owner of the key."""

from __future__ import annotations

import builtins
from typing import Any

from attrs import field, frozen

from .. import _errors
from .._advice import words
from .._http import paths
from .._http.sender import get
from .._models.build import build
from .._models.checks import expect_field, expect_items, request_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform import Driver
    from .._flow.steps import Flow
    from .._http.api import Api
    from .._time.clock import Deadline


@frozen(kw_only=True)
class Team:
    """A team.

    Attributes:
        id: the team's id.
        name: the team's name.
        organization_id: the team's organization, or None.
        raw: as the API sent it.
    """

    id: str
    name: str
    organization_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class UserProfile:
    """The person who owns the key.

    Attributes:
        id: the person's id.
        email: the person's e-mail address.
        name: the person's name, or None.
        team_id: the team of the key, or None.
        raw: as the API sent it.
    """

    id: str
    email: str
    name: str | None = None
    team_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class WhoAmI:
    """The owner of the key, and what the key gives access to.

    Attributes:
        profile: the person.
        teams: the teams that the key sees.
        team_id: the team that is used, or None if the key sees several.
        base_url: the API's origin.
        raw: both responses, as the API sent them.
    """

    profile: UserProfile
    teams: tuple[Team, ...]
    team_id: str | None
    base_url: str
    raw: dict[str, Any] = field(repr=False, eq=False)


class Teams:
    """The teams that the key sees."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def list(self) -> builtins.list[Team]:
        """Return the teams. Sends `GET /v2/teams`.

        Raises:
            DuvoError: the request failed.
        """
        return self._driver.run(list_teams(self._driver.api))

    def __repr__(self) -> str:
        return f"<Teams of the key at {self._driver.api.base_url}>"


def list_teams(api: Api) -> Flow[list[Team]]:
    """Read the teams that the key sees."""
    teams = yield from _read_teams(api)
    with request_context("GET", paths.TEAMS):
        return [build(Team, raw, raw) for raw in teams]


def read_owner(api: Api) -> Flow[WhoAmI]:
    """Read the owner of the key. Sends `GET /v2/profile` and `GET /v2/teams`."""
    response = yield from get(api, paths.PROFILE)
    with request_context("GET", paths.PROFILE):
        raw = expect_field(response.data, "profile")
        profile = build(UserProfile, {**raw, "team_id": raw.get("teamId")}, raw)
    teams = yield from list_teams(api)
    try:
        team_id = yield from api.team_id()
    except _errors.ConfigError:
        team_id = None
    return WhoAmI(
        profile=profile,
        teams=tuple(teams),
        team_id=team_id,
        base_url=api.base_url,
        raw={"profile": raw, "teams": [team.raw for team in teams]},
    )


def find_team(api: Api, deadline: Deadline | None = None) -> Flow[str]:
    """Return the one team that the key sees. Sends `GET /v2/teams`."""
    teams = yield from _read_teams(api, deadline)
    if len(teams) == 1:
        return str(teams[0]["id"])
    if not teams:
        raise _errors.ConfigError(
            "this key does not see any team; ask its creator which team it is for"
        )
    listed = ", ".join(f"{team['id']} ({team.get('name')})" for team in teams)
    raise _errors.ConfigError(f"this key sees {len(teams)} teams: {words().name_team()}: " + listed)


def _read_teams(api: Api, deadline: Deadline | None = None) -> Flow[list[dict[str, Any]]]:
    response = yield from get(api, paths.TEAMS, deadline=deadline)
    with request_context("GET", paths.TEAMS):
        return expect_items(response.data, "teams")
