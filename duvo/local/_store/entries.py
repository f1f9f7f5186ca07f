"""Messages to append to a conversation, before they have a place and a time in it."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Entry:
    """A message to append to a run's conversation.

    `data` is a tool call or its result in the API's shape, or the request that
    a user's message replied to.
    """

    type: str
    role: str
    text: str | None = None
    data: dict[str, Any] | None = None


def user_text(text: str, *, replies_to: str | None = None) -> Entry:
    return Entry("text", "user", text, {"replies_to": replies_to} if replies_to else None)


def assistant_text(text: str) -> Entry:
    return Entry("text", "assistant", text)


def thinking(text: str) -> Entry:
    return Entry("thinking", "assistant", text)


def tool_call(call_id: str, name: str, arguments: dict[str, Any]) -> Entry:
    return Entry(
        "tool_call", "assistant", data={"id": call_id, "name": name, "arguments": arguments}
    )


def tool_result(call_id: str, *, result: Any = None, error: str | None = None) -> Entry:
    outcome = {"result": result} if error is None else {"error": error}
    return Entry("tool_result", "assistant", data={"tool_call_id": call_id, **outcome})


def session(event: str, text: str | None = None) -> Entry:
    """Return a turn's start or end: `started`, `completed`, `error` or `interrupted`."""
    return Entry(f"session_{event}", "system", text)
