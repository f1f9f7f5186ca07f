"""The paths of the API."""

from __future__ import annotations

import re
from urllib.parse import quote

TEAMS = "/v2/teams"
PROFILE = "/v2/profile"

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_id(text: str) -> bool:
    """Whether the text has the form of an id, and so is not a name."""
    return _ID.fullmatch(text) is not None


def agents(team_id: str) -> str:
    return f"{TEAMS}/{_part(team_id)}/agents"


def agent(agent_id: str) -> str:
    return f"/v2/agents/{_part(agent_id)}"


def runs(team_id: str) -> str:
    return f"{TEAMS}/{_part(team_id)}/runs"


def run(run_id: str) -> str:
    return f"/v2/runs/{_part(run_id)}"


def messages(run_id: str) -> str:
    return f"{run(run_id)}/messages"


def reply(run_id: str, request_id: str) -> str:
    return f"{run(run_id)}/human-requests/{_part(request_id)}/respond"


def stop(run_id: str) -> str:
    return f"{run(run_id)}/stop"


def _part(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
