"""A message of the conversation, as an agent sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Message:
    """An earlier message of the conversation.

    Attributes:
        role: `user`, `assistant` or `system`.
        type: `text`, `thinking`, `tool_call`, `tool_result` or a session event.
        text: its text, or "" if it has none.
        data: the tool call or its result, or None.
    """

    role: str
    type: str
    text: str
    data: Mapping[str, Any] | None = None
