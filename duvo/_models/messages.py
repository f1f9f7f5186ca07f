"""The messages of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from . import wire
from .build import build
from .human_requests import HumanRequest, human_request_fields, request_text
from .times import timestamp

COLUMNS = ("Time", "Role", "Message")
"""The head of a table of messages, whose rows are their `cells`."""


@frozen(kw_only=True)
class ToolCall:
    """A tool that the agent calls.

    Attributes:
        id: the call's id, to which the result refers.
        name: the tool.
        arguments: the arguments of the call.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class ToolResult:
    """The result of a tool.

    Attributes:
        tool_call_id: the id of the call.
        result: any JSON value.
        error: the error message, or None.
    """

    tool_call_id: str
    result: Any = field(default=None, hash=False)
    error: str | None = None


@frozen(kw_only=True)
class Message:
    """One message of a run's conversation.

    Attributes:
        id: the message's id.
        type: `text`, `tool_call`, `tool_result`, `human_request`,
            `session_completed` and others; unknown types are passed on.
        role: `user`, `assistant`, `tool`, `thinking`, `system`, `duvo`.
        content: the text, a tool call's arguments as JSON, or a tool result's
            text; never None.
        timestamp: when it was written, or None.
        status: `pending` for a human request, else None.
        tool_call: the call of a `tool_call`, else None.
        tool_result: the result of a `tool_result`, else None.
        request: the request of a `human_request`, else None.
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
        """Whether this is a human request that nobody has answered yet."""
        return self.type == "human_request" and self.status == "pending"

    def to_dict(self) -> dict[str, Any]:
        """Return what the API sent, with `content` and our role added, as `--json` prints it."""
        return wire.message(self.raw)

    def _repr_html_(self) -> str:
        from .._notebook import html

        return html.table(COLUMNS, [cells(self)], longest=html.LONGEST_TEXT)


def cells(message: Message) -> tuple[object, str, str]:
    """Return the time, the role and the text of a message, for a row of a table."""
    if message.request is not None and message.is_pending_request:
        return message.timestamp, "request", request_text(message.request)
    if message.tool_call is not None:
        return message.timestamp, "tool", f"→ {message.tool_call.name} {message.content}"
    if message.tool_result is not None:
        sign = "✗" if message.tool_result.error else "←"
        return message.timestamp, "tool", f"{sign} {message.content}"
    text = message.content
    if not text and message.type != "text":
        text = message.type.replace("_", " ")
    return message.timestamp, message.role, text


def message(
    ours: dict[str, Any],
    raw: dict[str, Any],
    run_id: str,
    warn: Callable[[str], None] | None = None,
) -> Message:
    """Build a message from what `wire.message` or `wire.request_message` returned.

    `warn` is called if fields do not match the API.
    """
    request = ours.get("human_request")
    if isinstance(request, dict):
        ours = {**ours, "request": human_request_fields(request, run_id)}
    return _built_directly(ours, raw) or build(Message, ours, raw, warn)


def _built_directly(ours: dict[str, Any], raw: dict[str, Any]) -> Message | None:
    """Build a message as `build` would, in a third of its time; None if it is not an ordinary one.

    A page has 50 messages, on which cattrs spends more time than requests on the page.
    """
    kind, role, status = ours.get("type"), ours.get("role"), ours.get("status")
    call, result = ours.get("tool_call"), ours.get("tool_result")
    if type(kind) is not str or type(role) is not str or "request" in ours:
        return None
    if status is not None and type(status) is not str:
        return None
    if call is not None:
        call = _tool_call(call)
        if call is None:
            return None
    if result is not None:
        result = _tool_result(result)
        if result is None:
            return None
    return Message(
        id=ours["id"],
        type=kind,
        role=role,
        content=ours["content"],
        timestamp=timestamp(ours.get("timestamp")),
        status=status,
        tool_call=call,
        tool_result=result,
        raw=raw,
    )


def _tool_call(fields: object) -> ToolCall | None:
    if type(fields) is not dict:
        return None
    call_id, name = fields.get("id"), fields.get("name")
    arguments = fields.get("arguments", {})
    if type(call_id) is not str or type(name) is not str or type(arguments) is not dict:
        return None
    return ToolCall(id=call_id, name=name, arguments=arguments)


def _tool_result(fields: object) -> ToolResult | None:
    if type(fields) is not dict:
        return None
    call_id, error = fields.get("tool_call_id"), fields.get("error")
    if type(call_id) is not str or not (error is None or type(error) is str):
        return None
    return ToolResult(tool_call_id=call_id, result=fields.get("result"), error=error)
