"""A conversation as people read it: one column each for time, who, and what."""

from __future__ import annotations

import textwrap
from datetime import datetime

from . import human_request
from .terminal import harmless, in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Message

    from .terminal import Paint

_COLOURS = {
    "user": "blue",
    "assistant": "green",
    "tool": "dim",
    "thinking": "dim",
    "request": "yellow",
    "error": "red",
}
_INDENT = 8 + 2 + 9 + 2
_LONGEST_OF_A_TOOL = 600
_NARROWEST = 30


class Conversation:
    """Writes messages as lines; a date stands before the first one of another day than today.

    Args:
        args: the command line, whose settings the commands for a request repeat.
        paint: what colours text.
        columns: width of the terminal, or None for lines of any length.
        today: the local time now.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        paint: Paint,
        columns: int | None,
        today: datetime | None = None,
    ):
        self._args = args
        self._paint = paint
        self._columns = columns
        self._day = (today or datetime.now()).date()

    def lines(self, message: Message) -> list[str]:
        """The message."""
        who, colour, said = self._said(message)
        moment = message.timestamp.astimezone() if message.timestamp else None
        time = moment.strftime("%H:%M:%S") if moment else ""
        lead = f"{self._paint(f'{time:8}', 'dim')}  {self._paint(f'{who:9}', colour)}  "
        wrapped = [part for line in said for part in self._wrapped(line)] or [""]
        lines = [lead + wrapped[0], *(" " * _INDENT + line for line in wrapped[1:])]
        if moment and moment.date() != self._day:
            self._day = moment.date()
            lines.insert(0, self._paint(f"-- {self._day} --", "dim"))
        return [line.rstrip() for line in lines]

    def _said(self, message: Message) -> tuple[str, str, list[str]]:
        if message.request is not None and message.is_pending_request:
            told = human_request.lines(message.request, self._args, self._paint)
            return "request", _COLOURS["request"], told
        if message.tool_call is not None:
            name = in_one_line(message.tool_call.name)
            return "tool", "dim", _shortened(f"→ {name} {harmless(message.content)}")
        if message.tool_result is not None:
            if message.tool_result.error:
                return "tool", "red", _shortened(f"✗ {harmless(message.content)}")
            return "tool", "dim", _shortened(f"← {harmless(message.content)}")
        who = in_one_line(message.role)[:9]
        if message.type == "session_error":
            return who, "red", harmless(message.content or "the run failed").splitlines()
        text = message.content
        if not text and message.type != "text":
            text = message.type.replace("_", " ")
        return who, _COLOURS.get(message.role, ""), harmless(text).splitlines()

    def _wrapped(self, line: str) -> list[str]:
        if self._columns is None or self._columns - _INDENT < _NARROWEST or "\x1b" in line:
            return [line]
        room = self._columns - _INDENT
        if len(line) <= room:
            return [line]
        margin = line[: len(line) - len(line.lstrip())][: room // 2]
        return textwrap.wrap(
            line, room, subsequent_indent=margin, replace_whitespace=False, break_on_hyphens=False
        ) or [""]


def _shortened(text: str) -> list[str]:
    if len(text) > _LONGEST_OF_A_TOOL:
        more = len(text) - _LONGEST_OF_A_TOOL
        text = f"{text[:_LONGEST_OF_A_TOOL]}… ({more:,} more characters; --json has them)"
    return text.splitlines()
