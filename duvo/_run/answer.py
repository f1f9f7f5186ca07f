"""What a run's conversation tells of how it came out. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Outcome:
    """Gathers the last words of a conversation, message by message in its order.

    Attributes:
        is_read: whether the conversation was read to the run's end.
        answer: the last text of the assistant, or None.
    """

    def __init__(self) -> None:
        self.is_read = False
        self.answer: str | None = None
        self._error: str | None = None
        self._tool_error: str | None = None

    @classmethod
    def known(cls, answer: str | None, failure: str | None, *, is_read: bool) -> Outcome:
        """An outcome that was gathered elsewhere."""
        made = cls()
        made.is_read, made.answer, made._error = is_read, answer, failure
        return made

    @property
    def failure(self) -> str | None:
        """The run's own error, or else the last that a tool met."""
        return self._error or self._tool_error

    def come_after(self, earlier: Outcome) -> None:
        """Take over from an earlier part of the conversation what this one does not tell."""
        if self.answer is None:
            self.answer = earlier.answer
        self._error = self._error or earlier._error
        self._tool_error = self._tool_error or earlier._tool_error

    def note_page(self, messages: Iterable[dict[str, Any]]) -> None:
        """Note messages that have our names."""
        for message in messages:
            self.note(message.get("type"), message.get("role"), message["content"], message)

    def note(self, kind: object, role: object, content: str, fields: dict[str, Any]) -> None:
        """Note one message: its type, role and content as ours, its fields as they came."""
        if role == "assistant" and content:
            self.answer = content
        elif kind == "session_error" and content:
            self._error = content
        elif kind == "tool_result":
            result = fields.get("tool_result")
            error = result.get("error") if isinstance(result, dict) else None
            if isinstance(error, str) and error:
                self._tool_error = error
