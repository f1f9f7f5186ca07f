"""The server's JSON with our names in it.

The names that users of the command know (`content`, the status `stopped`, a
pending human request among the messages) are introduced here and nowhere else,
for every server alike. The server's JSON is never changed in place.
"""

from __future__ import annotations

import json

from .._errors import UnexpectedAnswer
from .checks import expect_dict, expect_text
from .times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from .types import RunStatus

_encode = json.JSONEncoder(ensure_ascii=False).encode
"""Kept, since making an encoder takes as long as using it."""

_STOPPED = frozenset({"interrupted", "stopped", "canceled", "cancelled"})
FINISHED = frozenset({"completed", "failed", "stopped"})
"""Our statuses of a run that has ended."""

_ROLE_OF_TYPE = {"tool_call": "tool", "tool_result": "tool", "thinking": "thinking"}


def status(word: str) -> RunStatus | str:
    """Return our word for a run's status; unknown words are passed on."""
    return "stopped" if word in _STOPPED else word


def run(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a run with our word for its status."""
    return {**raw, "status": status(expect_text(raw.get("status"), "run.status"))}


def run_response(data: object) -> dict[str, Any]:
    """Return the response about one run, which must have an id, with our words in it."""
    response = expect_dict(data, "the top")
    raw = expect_dict(response.get("run"), "run")
    expect_text(raw.get("id"), "run.id")
    return {**response, "run": run(raw)}


def message(raw: object, where: str = "message") -> dict[str, Any]:
    """Return a message with `content`, and a role of its own for tools and thinking."""
    fields = expect_dict(raw, where)
    expect_text(fields.get("id"), f"{where}.id")
    ours = {**fields, "content": content(fields)}
    kind = fields.get("type")
    if isinstance(kind, str) and kind in _ROLE_OF_TYPE:
        ours["role"] = _ROLE_OF_TYPE[kind]
    return ours


def messages(raws: list[Any]) -> list[dict[str, Any]]:
    """Return the messages of a page; errors name the message's place."""
    try:
        return [message(raw) for raw in raws]
    except UnexpectedAnswer:
        return [message(raw, f"messages[{number}]") for number, raw in enumerate(raws)]


def moment(raw: dict[str, Any]) -> datetime | None:
    """Return a message's time, or None."""
    return timestamp(raw.get("timestamp"))


def content(raw: dict[str, Any]) -> str:
    """Return a message's text, never None: for a tool, the arguments or the result."""
    for name in ("content", "text_content"):
        value = raw.get(name)
        if isinstance(value, str):
            return value
    call = raw.get("tool_call")
    if isinstance(call, dict):
        return _as_text(call.get("arguments", {}))
    result = raw.get("tool_result")
    if isinstance(result, dict):
        return _as_text(result.get("error") or result.get("result"))
    return ""


def request_message(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a run's pending human request as a message of its conversation."""
    texts = (raw.get("title"), raw.get("description"))
    return {
        "id": expect_text(raw.get("id"), "pending_human_request.id"),
        "type": "human_request",
        "role": "duvo",
        "status": "pending",
        "timestamp": raw.get("created_at"),
        "content": "\n\n".join(text for text in texts if isinstance(text, str) and text),
        "human_request": raw,
    }


def pending_request(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the pending human request in a response about one run, or None."""
    raw = data.get("pending_human_request")
    return None if raw is None else expect_dict(raw, "pending_human_request")


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return _encode(value)
    except RecursionError:
        return "(nested too deeply)"
