"""The server's JSON, made ours.

The names that the command's users know (`content`, the status `stopped`, a
pending human request among the messages) are made here and nowhere else, for
every server alike. What a server sent is never changed: these build new dicts.
"""

from __future__ import annotations

import json

from .._errors import UnexpectedAnswer
from .times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

_STOPPED = frozenset({"interrupted", "stopped", "canceled", "cancelled"})
FINISHED = frozenset({"completed", "failed", "stopped"})
"""Our statuses of a run that has ended."""

_ROLE_OF_TYPE = {"tool_call": "tool", "tool_result": "tool", "thinking": "thinking"}


def status(word: str) -> str:
    """Our word for a run's status; unknown ones are carried through."""
    return "stopped" if word in _STOPPED else word


def expect_dict(value: object, where: str) -> dict[str, Any]:
    """The value, when it is a JSON object.

    Raises:
        UnexpectedAnswer: it is something else; `where` says of which place.
    """
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"the answer has {_kind(value)} at {where}, where an object was due")
    return value


def expect_list(value: object, where: str) -> list[Any]:
    """The value, when it is a JSON array.

    Raises:
        UnexpectedAnswer: it is something else; `where` says of which place.
    """
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"the answer has {_kind(value)} at {where}, where an array was due")
    return value


def expect_items(answer: object, name: str) -> list[dict[str, Any]]:
    """The items of a list call's answer: objects, each with an id.

    Raises:
        UnexpectedAnswer: there are none of that name, or one is something else.
    """
    items = expect_list(expect_dict(answer, "the top").get(name), name)
    for number, item in enumerate(items):
        where = f"{name}[{number}]"
        expect_text(expect_dict(item, where).get("id"), f"{where}.id")
    return items


def expect_text(value: object, where: str) -> str:
    """The value, when it is text that is not empty.

    Raises:
        UnexpectedAnswer: it is something else; `where` says of which place.
    """
    if not isinstance(value, str) or not value:
        raise UnexpectedAnswer(f"the answer has {_kind(value)} at {where}, where text was due")
    return value


def count(value: object) -> int | None:
    """A number of things, or None where the server tells none that could be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 2**53 else None


def run(raw: dict[str, Any]) -> dict[str, Any]:
    """A run with our word for its status."""
    return {**raw, "status": status(expect_text(raw.get("status"), "run.status"))}


def run_answer(data: object) -> dict[str, Any]:
    """The answer about one run, with our words in it.

    Raises:
        UnexpectedAnswer: it has no run with an id and a status.
    """
    answer = expect_dict(data, "the top")
    raw = expect_dict(answer.get("run"), "run")
    expect_text(raw.get("id"), "run.id")
    return {**answer, "run": run(raw)}


def message(raw: object, where: str = "message") -> dict[str, Any]:
    """A message with `content`, and a role that tells tools and thinking apart.

    Raises:
        UnexpectedAnswer: it is no object with an id.
    """
    given = expect_dict(raw, where)
    expect_text(given.get("id"), f"{where}.id")
    ours = {**given, "content": content(given)}
    kind = given.get("type")
    if isinstance(kind, str) and kind in _ROLE_OF_TYPE:
        ours["role"] = _ROLE_OF_TYPE[kind]
    return ours


def messages(raws: list[Any]) -> list[dict[str, Any]]:
    """The messages of a page; an error tells the place of the one that is none."""
    try:
        return [message(raw) for raw in raws]
    except UnexpectedAnswer:
        return [message(raw, f"messages[{number}]") for number, raw in enumerate(raws)]


def moment(raw: dict[str, Any]) -> datetime | None:
    """When a message was said, or None."""
    return timestamp(raw.get("timestamp"))


def content(raw: dict[str, Any]) -> str:
    """What a message says, as text: never null."""
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
    """The pending human request of a run, as a message of its conversation."""
    title = raw.get("title")
    description = raw.get("description")
    said = [part for part in (title, description) if isinstance(part, str) and part]
    return {
        "id": expect_text(raw.get("id"), "pending_human_request.id"),
        "type": "human_request",
        "role": "duvo",
        "status": "pending",
        "timestamp": raw.get("created_at"),
        "content": "\n\n".join(said),
        "human_request": raw,
    }


def pending_request(data: dict[str, Any]) -> dict[str, Any] | None:
    """The pending human request in an answer about one run, or None."""
    raw = data.get("pending_human_request")
    return None if raw is None else expect_dict(raw, "pending_human_request")


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names = {dict: "an object", list: "an array", str: "text", bool: "a truth value"}
    return names.get(type(value), f"the number {value!r}"[:40])
