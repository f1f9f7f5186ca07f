"""Calls that take several steps: any request, any list, finding the team, a start by name."""

from __future__ import annotations

from .. import _errors
from .._flow.steps import block
from .._http import paths
from .._http.request import Request
from .._http.sender import send
from .._run import actions
from .._settings.arguments import checked_text
from .._settings.credentials import checked_id
from .._settings.settings import team_of_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._http.response import Response
    from .._run.state import RunState
    from .._settings.settings import Settings
    from .._time.clock import Deadline

    Query: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]


def find_team(api: Api, settings: Settings, deadline: Deadline | None) -> Flow[str]:
    """Return the team of the profile, or else the one that the key sees."""
    team_id = None
    if settings.team_may_be_in_profile:
        team_id = yield from block(team_of_profile)
    if not team_id:
        from . import teams

        team_id = yield from teams.find_team(api, deadline)
    settings.team_id = team_id
    return team_id


def request(api: Api, method: str, path: str, params: Query, body: Any) -> Flow[Response]:
    """Send any request; see `Client.request`."""
    if not (checked_text(method, "method").isascii() and method.isalpha()):
        raise _errors.ConfigError(f"{method!r} is not an HTTP method")
    path = yield from _with_team(api, path)
    return (yield from send(api, Request(method.upper(), path, params=_pairs(params), body=body)))


def paginate(api: Api, path: str, params: Query) -> Flow[Any]:
    """Read all pages of a list call; see `Client.paginate`."""
    path = yield from _with_team(api, path)
    from .._lists.pages import joined

    return (yield from joined(api, path, _pairs(params), 50))


def start_run(
    api: Api,
    agent: str,
    message: str | None,
    sandbox_id: str | None,
    webhook_url: str | None,
    deadline: Deadline | None,
) -> Flow[RunState]:
    """Start a run of an agent, which is given by its id or name."""

    def start(agent_id: str) -> Flow[RunState]:
        return actions.start(api, agent_id, message, sandbox_id, webhook_url, deadline=deadline)

    if paths.is_id(checked_id(agent, "agent")):
        return (yield from start(agent))
    # Loaded only for names: an id does not need attrs.
    from .agents import with_agent_id

    return (yield from with_agent_id(api, agent, start, deadline))


def start_in_time(
    api: Api, agent: str, message: str | None, timeout: float | None, deadline: Deadline
) -> Flow[RunState]:
    """Start a run as `start_run` does; a failure after the deadline is a `WaitTimeout`."""
    try:
        return (yield from start_run(api, agent, message, None, None, deadline))
    except _errors.DuvoError as error:
        if not deadline.passed:
            raise
        raise _errors.WaitTimeout(
            f"no answer within {timeout:g} s: {error}", timeout=timeout
        ) from error


def agent_finder(api: Api, agent: str) -> Callable[..., Flow[str]]:
    """Return a function that finds the id of an agent by its id or name.

    Its argument is an id that was not found, or None.
    """

    checked_id(agent, "agent")

    def find(gone: str | None = None) -> Flow[str]:
        if paths.is_id(agent):
            return agent
        from .agents import find_agent_id

        return (yield from find_agent_id(api, agent, gone=gone))

    return find


def _pairs(params: Query) -> list[tuple[str, str]]:
    return list(params.items()) if hasattr(params, "items") else list(params)


def _with_team(api: Api, path: str) -> Flow[str]:
    if "://" in checked_text(path, "path"):
        raise _errors.ConfigError(f"{path!r} is a URL; give the path only, such as /v2/teams")
    path = "/" + path.lstrip("/")
    for name in ("{teamId}", "{team_id}"):
        if name in path:
            # What is wrong with the rest of the path is said before the team is looked up.
            paths.escaped(path.replace(name, "-"))
            path = path.replace(name, paths.segment((yield from api.team_id()), "team"))
    return paths.escaped(path)
