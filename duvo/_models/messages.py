"""The data that leaves the library: frozen, built when first looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .._errors import UnexpectedAnswer
from . import wire
from .build import build


@frozen(kw_only=True)
class Option:
    """One choice of a question.

    Attributes:
        label: what an answer says to choose it.
        description: more about it, or None.
    """

    label: str
    description: str | None = None


@frozen(kw_only=True)
class Question:
    """One question of a human request.

    Attributes:
        question: its text, which is the key that the API wants.
        header: its short name, or None.
        options: the choices; empty for a free answer.
        multi_select: whether several choices may be given.
        id: its id, on servers that give one.
        key: the short word that names it in an answer: its id, its header, or
            its number, counted from 1.
    """

    question: str
    header: str | None = None
    options: tuple[Option, ...] = ()
    multi_select: bool = False
    id: str | None = None
    key: str = ""


@frozen(kw_only=True)
class HumanRequest:
    """What a run asks a human for.

    Attributes:
        id: its id.
        run_id: the run that asks, or None.
        type: `approval`, `question`, or a kind that is newer than this library.
        title: what it asks for, in a line.
        description: more about it, or None.
        created_at: when it was asked.
        questions: what to answer; empty for an approval.
        raw: as the API sent it.
    """

    id: str
    type: str
    title: str = ""
    description: str | None = None
    created_at: datetime | None = None
    questions: tuple[Question, ...] = ()
    run_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class ToolCall:
    """A tool that the agent calls.

    Attributes:
        id: its id, which its result names.
        name: the tool.
        arguments: what it is called with.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class ToolResult:
    """What a tool gave back.

    Attributes:
        tool_call_id: the call that this answers.
        result: anything JSON.
        error: what went wrong, or None.
    """

    tool_call_id: str
    result: Any = field(default=None, hash=False)
    error: str | None = None


@frozen(kw_only=True)
class Message:
    """One message of a run's conversation.

    Attributes:
        id: its id.
        type: `text`, `tool_call`, `tool_result`, `human_request`,
            `session_completed` and others; new ones are carried through.
        role: `user`, `assistant`, `tool`, `thinking`, `system`, `duvo`.
        content: what it says, never None: the text, a tool call's arguments as
            JSON, a tool result's text.
        timestamp: when it was said, or None.
        status: `pending` for a human request, else None.
        tool_call: the call, for one.
        tool_result: the result, for one.
        request: the human request, for one.
        raw: as the API sent it.
    """

    id: str
    type: str
    role: str
    content: str = ""
    timestamp: datetime | None = None
    status: str | None = None
    tool_call: ToolCall | None = None
    tool_result: ToolResult | None = None
    request: HumanRequest | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)

    @property
    def is_pending_request(self) -> bool:
        """Whether this asks a human, and nobody has answered yet."""
        return self.type == "human_request" and self.status == "pending"

    def to_dict(self) -> dict[str, Any]:
        """What the API sent, with `content` and our role added: what `--json` prints."""
        return wire.message(self.raw)


@frozen(kw_only=True)
class Reply:
    """A human request that has been replied to.

    Attributes:
        id: of the request.
        run_id: the run that asked.
        title: what it asked for.
        response: what was replied, as the server puts it.
        responded_at: when.
        raw: as the API sent it.
    """

    id: str
    run_id: str | None = None
    title: str = ""
    response: str | None = None
    responded_at: datetime | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class Agent:
    """An agent.

    Attributes:
        id: its id.
        name: its name.
        team_id: its team.
        created_at: when it was made.
        updated_at: when it last changed.
        last_run_at: when it last ran, where the list tells.
        raw: as the API sent it.
    """

    id: str
    name: str
    team_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_run_at: datetime | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class Team:
    """A team.

    Attributes:
        id: its id.
        name: its name.
        organization_id: its organization, or None.
        raw: as the API sent it.
    """

    id: str
    name: str
    organization_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


@frozen(kw_only=True)
class UserProfile:
    """The person whose key it is.

    Attributes:
        id: their id.
        email: their address.
        name: their name, or None.
        team_id: the team of the key, or None.
        raw: as the API sent it.
    """

    id: str
    email: str
    name: str | None = None
    team_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


def message(ours: dict[str, Any], raw: dict[str, Any], run_id: str) -> Message:
    """A message from what `_wire.message` or `_wire.request_message` made."""
    request = ours.get("human_request")
    if isinstance(request, dict):
        ours = {**ours, "request": human_request_fields(request, run_id)}
    return build(Message, ours, raw)


def human_request(raw: dict[str, Any], run_id: str) -> HumanRequest:
    """A human request from what came with the run."""
    return build(HumanRequest, human_request_fields(raw, run_id), raw)


def human_request_fields(raw: dict[str, Any], run_id: str) -> dict[str, Any]:
    """A human request's fields, each question with its key."""
    questions = raw.get("questions") or []
    if not isinstance(questions, list) or not all(isinstance(one, dict) for one in questions):
        raise UnexpectedAnswer("the answer has no valid questions at pending_human_request")
    fields = {name: value for name, value in raw.items() if value is not None}
    return {
        **fields,
        "run_id": run_id,
        "raw": raw,
        "questions": [
            {**_without_nulls(one), "key": _key(one, number)}
            for number, one in enumerate(questions, 1)
        ],
    }


def _key(question: dict[str, Any], number: int) -> str:
    for name in ("id", "header"):
        value = question.get(name)
        if isinstance(value, str) and value:
            return value
    return str(number)


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
