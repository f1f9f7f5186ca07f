"""The paths of the API. Pure."""

from __future__ import annotations

from urllib.parse import quote

TEAMS = "/v2/teams"
PROFILE = "/v2/profile"


def agents(team_id: str) -> str:
    """The agents of a team."""
    return f"{TEAMS}/{_part(team_id)}/agents"


def agent(agent_id: str) -> str:
    """One agent."""
    return f"/v2/agents/{_part(agent_id)}"


def runs(team_id: str) -> str:
    """The runs of a team."""
    return f"{TEAMS}/{_part(team_id)}/runs"


def run(run_id: str) -> str:
    """One run."""
    return f"/v2/runs/{_part(run_id)}"


def messages(run_id: str) -> str:
    """A run's conversation."""
    return f"{run(run_id)}/messages"


def reply(run_id: str, request_id: str) -> str:
    """Where a reply to a run's human request goes."""
    return f"{run(run_id)}/human-requests/{_part(request_id)}/respond"


def stop(run_id: str) -> str:
    """Where a run is stopped."""
    return f"{run(run_id)}/stop"


def _part(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
