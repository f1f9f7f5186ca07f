"""Messages and human requests for notebooks: as HTML, and as text for a cell."""

from __future__ import annotations

from .. import _html

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from .human_requests import HumanRequest, Question
    from .messages import Message

    Cells: TypeAlias = tuple[object, str, str]

COLUMNS = ("Time", "Role", "Message")


def of_messages(
    messages: Iterable[Message], caption: str = "", longest: int = _html.LONGEST_TEXT
) -> str:
    """Return a table of messages, each with at most so many characters."""
    return _html.table(COLUMNS, map(cells, messages), caption, longest)


def of_request(request: HumanRequest) -> str:
    """Return a table of the fields of a human request."""
    pairs = [
        ("title", request.title),
        ("description", request.description),
        *((f"question {question.key}", _question(question)) for question in request.questions),
        ("run", request.run_id),
        ("created", request.created_at),
    ]
    return _html.fields(f"{request.type} {request.id}", pairs)


def cells(message: Message) -> Cells:
    """Return the time, the role and the text of a message."""
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


def request_text(request: HumanRequest) -> str:
    """Return a human request as lines of text."""
    questions = [f"{question.key}: {_question(question)}" for question in request.questions]
    return "\n".join(filter(None, [request.title, request.description, *questions]))


def _question(question: Question) -> str:
    options = ", ".join(option.label for option in question.options)
    return f"{question.question} ({options})" if options else question.question
