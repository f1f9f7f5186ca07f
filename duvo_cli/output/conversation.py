"""Messages as people read them, in columns for time, role and text."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime

import duvo

from . import human_request, terminal
from .table import cut, displayed, wrapped
from .terminal import Paint, harmless, in_one_line

_ASKING = frozenset({"ask_question", "request_approval"})
"""The engine's tools that ask a human. Their results repeat questions beside the answers."""

_COLOURS = {
    "user": "blue",
    "assistant": "green",
    "tool": "dim",
    "thinking": "dim",
    "request": "yellow",
    "error": "red",
}
_WHO = 9
_INDENT = 8 + 2 + _WHO + 2
_MOST_OF_A_TOOL = 600
"""Characters of a tool's arguments or result."""

_MOST_OF_AN_ERROR = 6000

_NARROWEST = 30
"""Columns for text below which lines are not wrapped."""


class Conversation:
    """Turns messages into lines. A date precedes the first message of each day but today."""

    def __init__(
        self,
        args: Namespace,
        paint: Paint,
        columns: int | None,
        today: datetime | None = None,
    ):
        self._args = args
        self._paint = paint
        self._columns = columns
        self._day = (today or datetime.now()).date()

    def lines(self, message: duvo.Message) -> list[str]:
        """The lines of one message."""
        who, colour, text = self._parts(message)
        moment = message.timestamp.astimezone() if message.timestamp else None
        time = moment.strftime("%H:%M:%S") if moment else ""
        padding = " " * (_WHO - displayed(who))
        lead = f"{self._paint(f'{time:8}', 'dim')}  {self._paint(who, colour)}{padding}  "
        parts = [part for line in text for part in self._wrapped(line)] or [""]
        lines = [lead + parts[0], *(" " * _INDENT + line for line in parts[1:])]
        if moment and moment.date() != self._day:
            self._day = moment.date()
            lines.insert(0, self._paint(f"-- {self._day} --", "dim"))
        return [line.rstrip() for line in lines]

    def _parts(self, message: duvo.Message) -> tuple[str, str, list[str]]:
        """Who speaks, the colour, and the lines of text."""
        if message.request is not None and message.is_pending_request:
            # A prompt on the same screen follows.
            asks = getattr(self._args, "on_request", None) == "ask" and self._columns is not None
            lines = human_request.lines(message.request, self._args, self._paint, prompted=asks)
            return "request", _COLOURS["request"], lines
        if message.tool_call is not None:
            name = in_one_line(message.tool_call.name)
            text = harmless(_arguments(message.tool_call, message.content))
            return "tool", "dim", _shortened(f"→ {name} {text}")
        if message.tool_result is not None:
            if message.tool_result.error:
                return "tool", "red", _shortened(f"✗ {harmless(message.content)}")
            return "tool", "dim", _shortened(f"← {harmless(message.content)}")
        who = cut(in_one_line(message.role), _WHO)
        if message.type == "session_error":
            text = harmless(message.content or "the run failed")
            return who, "red", _shortened(text, _MOST_OF_AN_ERROR)
        text = message.content
        if not text and message.type != "text":
            text = message.type.replace("_", " ")
        return who, _COLOURS.get(message.role, ""), harmless(text).splitlines()

    def _wrapped(self, line: str) -> list[str]:
        if self._columns is None or self._columns - _INDENT < _NARROWEST or "\x1b" in line:
            return [line]
        room = self._columns - _INDENT
        return wrapped(line, room, line[: len(line) - len(line.lstrip())][: room // 2])


def printer(args: Namespace) -> Callable[[duvo.Message], None]:
    """A function that prints messages in the width and colours of stdout."""
    stdout = sys.stdout
    conversation = Conversation(args, terminal.paint_for(stdout), terminal.width(stdout))
    return lambda message: terminal.write("\n".join(conversation.lines(message)))


def _arguments(call: duvo.ToolCall, content: str) -> str:
    """The arguments as JSON; for a call that asks a human, title and description only."""
    arguments = call.arguments
    if call.name not in _ASKING or not isinstance(arguments, dict) or not arguments.get("title"):
        return content
    title = "" if arguments.get("questions") else str(arguments["title"])
    return "\n".join(part for part in (title, str(arguments.get("description") or "")) if part)


def _shortened(text: str, most: int = _MOST_OF_A_TOOL) -> list[str]:
    if len(text) > most:
        more = len(text) - most
        text = f"{text[:most]}… ({more:,} more characters; --json has them)"
    return text.splitlines()
