"""The API's JSON shapes, made from rows and agents."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from ..agents import Agent

Shape = dict[str, Any]

_HOME = uuid.UUID("b1f9a6f2-53e0-5c7b-8f0f-0f4d2f8f5c11")

TEAM_ID = str(uuid.uuid5(_HOME, "team"))
USER_ID = str(uuid.uuid5(_HOME, "user"))


def build_id(agent_id: str) -> str:
    """Return the id of the agent's only revision."""
    return str(uuid.uuid5(uuid.UUID(agent_id), "build"))


def _iso(moment: int | None) -> str | None:
    """Return Unix milliseconds as an ISO 8601 time."""
    if moment is None:
        return None
    seconds = datetime.fromtimestamp(moment / 1000, timezone.utc)
    return seconds.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % 1000:03d}Z"


def team() -> Shape:
    return {"id": TEAM_ID, "name": "This machine", "organization_id": None}


def profile() -> Shape:
    return {
        "id": USER_ID,
        "name": "Local developer",
        "email": "developer@duvo.localhost",
        "teamId": TEAM_ID,
    }


def agent(agent: Agent) -> Shape:
    return {
        "id": agent.id,
        "name": agent.name,
        "slack_enabled": False,
        "microsoft_teams_enabled": False,
        "agentic_memory_enabled": False,
        "team_id": TEAM_ID,
        "thread_id": None,
        "created_at": None,
        "updated_at": None,
    }


def agent_item(item: Agent, last_run_at: int | None) -> Shape:
    """Return an agent as an item of a list."""
    return agent(item) | {
        "pinned_at": None,
        "last_run_at": _iso(last_run_at),
        "latest_build": None,
        "integration_configs": [],
        "user_triggers": {"slack_mention": False, "slack_channel": False, "teams_mention": False},
        "case_trigger_enabled": False,
        "case_trigger_has_conflict": False,
        "case_trigger_conflicting_agents": [],
        "case_queue_name": None,
    }


def run(row: sa.Row[Any]) -> Shape:
    return {
        "id": row.id,
        "agent_id": row.agent_id,
        "build_id": row.build_id,
        "status": row.status,
        "source": row.source,
        "sandbox_id": row.sandbox_id,
        "started_at": _iso(row.started_at),
        "completed_at": _iso(row.finished_at),
        "created_at": _iso(row.created_at),
        "updated_at": _iso(row.updated_at),
        "human_in_the_loop_enabled": True,
    }


def run_item(row: sa.Row[Any]) -> Shape:
    """Return a run as an item of a list."""
    return {
        "id": row.id,
        "created_at": _iso(row.created_at),
        "updated_at": _iso(row.updated_at),
        "started_at": _iso(row.started_at),
        "completed_at": _iso(row.finished_at),
        "status": row.status,
        "source": row.source,
        "title": row.title,
        "run_number": row.run_number,
        "agent_id": row.agent_id,
        "agent_name": row.agent_name,
        "build_id": row.build_id,
        "user_id": row.user_id,
        "case_queue_item_id": None,
        "case_queue_id": None,
        "case_queue_name": None,
        "case_title": None,
        "postponed_to": None,
        "submitted_prompt_count": row.prompts,
    }


def message(row: sa.Row[Any]) -> Shape:
    shape: Shape = {
        "id": row.id,
        "type": row.type,
        "role": row.role,
        "timestamp": _iso(row.timestamp),
    }
    if row.text is not None:
        shape["text_content"] = row.text
    if row.type in ("tool_call", "tool_result"):
        shape[row.type] = json.loads(row.data)
    return shape


def posted_message(message_id: str, text: str, moment: int) -> Shape:
    return {
        "id": message_id,
        "type": "text",
        "role": "user",
        "timestamp": _iso(moment),
        "text_content": text,
    }


def pending_request(request_id: str, spec_text: str, created_at: int) -> Shape:
    spec = json.loads(spec_text)
    shape: Shape = {
        "id": request_id,
        "title": spec["title"],
        "description": spec["description"],
        "created_at": _iso(created_at),
        "type": spec["type"],
    }
    if "questions" in spec:
        shape["questions"] = spec["questions"]
    return shape


def answered_request(row: sa.Row[Any], reply: Shape, moment: int) -> Shape:
    spec = json.loads(row.spec)
    approved = reply.get("approved")
    response = {True: "approved", False: "denied", None: json.dumps(reply.get("answers"))}
    return {
        "id": row.id,
        "run_id": row.run_id,
        "title": spec["title"],
        "description": spec["description"],
        "response": response[approved],
        "responded_at": _iso(moment),
        "created_at": _iso(row.created_at),
    }
