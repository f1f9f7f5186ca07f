"""The final answer of a run: its answer and failure, gathered from its conversation."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class FinalAnswer:
    """The last text and the last errors of a conversation; `is_read` to the run's end."""

    def __init__(
        self, answer: str | None = None, failure: str | None = None, *, is_read: bool = False
    ):
        self.is_read = is_read
        self.answer = answer
        self._error = failure
        self._tool_error: str | None = None

    @property
    def failure(self) -> str | None:
        """The run's error, or else the last error of a tool."""
        return self._error or self._tool_error

    def add_earlier(self, earlier: FinalAnswer) -> None:
        """Fill in what is missing from an earlier part of the conversation."""
        if self.answer is None:
            self.answer = earlier.answer
        self._error = self._error or earlier._error
        self._tool_error = self._tool_error or earlier._tool_error

    def add_page(self, messages: Iterable[dict[str, Any]]) -> None:
        """Add the messages of the next page, with our names."""
        for message in messages:
            self._add(message)

    def _add(self, message: dict[str, Any]) -> None:
        kind, content = message.get("type"), message["content"]
        if message.get("role") == "assistant" and content:
            self.answer = content
        elif kind == "session_error" and content:
            self._error = content
        elif kind == "tool_result":
            result = message.get("tool_result")
            error = result.get("error") if isinstance(result, dict) else None
            if error:
                self._tool_error = error if isinstance(error, str) else content
