"""The paths of the API."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_to_bytes

from .._errors import ConfigError
from .._settings.credentials import checked_id

TEAMS = "/v2/teams"
PROFILE = "/v2/profile"

_SAFE = "!$&'()*+,;=:@"
"""Characters that stand in a path as they are, besides letters, digits and `-._~`."""

_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def is_id(text: str) -> bool:
    """Whether the text has the form of an id, and so is not a name."""
    return re.fullmatch(_ID, text, re.IGNORECASE) is not None


def agents(team_id: str) -> str:
    return f"{TEAMS}/{segment(team_id, 'team')}/agents"


def agent(agent_id: str) -> str:
    return f"/v2/agents/{segment(agent_id, 'agent')}"


def runs(team_id: str) -> str:
    return f"{TEAMS}/{segment(team_id, 'team')}/runs"


def run(run_id: str) -> str:
    return f"/v2/runs/{segment(run_id, 'run')}"


def messages(run_id: str) -> str:
    return f"{run(run_id)}/messages"


def reply(run_id: str, request_id: str) -> str:
    return f"{run(run_id)}/human-requests/{segment(request_id, 'human request')}/respond"


def stop(run_id: str) -> str:
    return f"{run(run_id)}/stop"


def segment(text: str, of: str) -> str:
    """Return an id as one segment of a path; `of` says of what it is the id."""
    return quote(checked_id(text, of), safe="", errors="surrogatepass")


def escaped(path: str) -> str:
    """Return a path that a user gave, with its query, as it will be sent.

    Raises:
        ConfigError: a segment is empty or dots: the request would go elsewhere.
    """
    path, mark, query = path.partition("?")
    *inner, last = path.split("/")[1:]
    for part in (*inner, last or "-"):
        if unquote(part) in ("", ".", "..") or "\0" in unquote(part):
            what = f"the segment {part!r}" if part else "an empty segment: is the variable set?"
            raise ConfigError(f"the path {path!r} cannot be sent, since it has {what}")
    return _escape(path, "/" + _SAFE) + mark + _escape(query, "/?" + _SAFE)


def _escape(text: str, safe: str) -> str:
    # As requests and httpx2 do: what is escaped stays so, unless it need not be.
    parts = re.split("(%[0-9A-Fa-f]{2})", text)
    return "".join(
        quote(unquote_to_bytes(part), safe="")
        if number % 2
        else quote(part, safe=safe, errors="surrogatepass")
        for number, part in enumerate(parts)
    )
