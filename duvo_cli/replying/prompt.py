"""Prompts for replies to human requests in the terminal."""

from __future__ import annotations

import os
import select
import sys
import time
from argparse import Namespace
from collections.abc import Callable

import duvo

from ..errors import CommandFailed
from ..output import human_request, terminal
from . import typed
from .inbox import can_be_answered, is_pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

POLL_EVERY = 2.0
"""Seconds between two checks whether the request was answered elsewhere."""


class _Abandoned(Exception):
    """The prompt has become useless; the text says why."""


class Prompt:
    """Prompts for replies; can be the SDK's `on_request`.

    Args:
        deadline: when the time is up, on `time.monotonic`, or None.
        shows: whether the request is shown first.
        can_leave: whether requests can be skipped, which raises
            `typed.Skipped`, or all left, which raises `typed.Quit`.
    """

    def __init__(
        self,
        client: duvo.Client,
        args: Namespace,
        deadline: float | None,
        *,
        shows: bool,
        can_leave: bool = False,
    ):
        self._client = client
        self._args = args
        self._deadline = deadline
        self._shows = shows
        self._can_leave = can_leave
        self._paint = terminal.paint_for(sys.stderr)

    def __call__(self, request: duvo.HumanRequest) -> bool | dict[str, str] | None:
        """Return the reply that was typed, or None when the request stays unanswered."""
        if not can_be_answered(request):
            return None
        with terminal.hidden():
            if self._shows:
                _print(*human_request.lines(request, self._args, self._paint))
            try:
                return self._reply(request)
            except _Abandoned as why:
                _print("", f"duvo: {why}")
                return None

    def _reply(self, request: duvo.HumanRequest) -> bool | dict[str, str]:
        if not request.questions:
            return self._until_valid(request, "Approve? [y/n] ", typed.decision)
        replies = {}
        for question in request.questions:
            *lines, prompt = typed.prompt(question)
            _print(*lines)
            replies[question.question] = self._until_valid(
                request, prompt, typed.answers_to(question)
            )
        return replies

    def _until_valid(self, request: duvo.HumanRequest, prompt: str, parse: Callable[[str], T]) -> T:
        if self._can_leave:
            parse = typed.unless_left(parse)
        while True:
            try:
                return parse(self._line(request, prompt).strip())
            except typed.NotUnderstood as why:
                _print(str(why))

    def _line(self, request: duvo.HumanRequest, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        stdin = sys.stdin.fileno()
        poll_at = time.monotonic() + POLL_EVERY
        line = b""
        while not line.endswith(b"\n"):
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                raise _Abandoned("the time is up; the request is still pending")
            if now >= poll_at:
                if not self._is_pending(request):
                    raise _Abandoned("the request was answered elsewhere")
                poll_at = time.monotonic() + POLL_EVERY
            until = poll_at if self._deadline is None else min(poll_at, self._deadline)
            ready, _, _ = select.select([stdin], [], [], max(0.0, until - time.monotonic()))
            if ready:
                piece = os.read(stdin, 65536)
                if not piece and self._can_leave:
                    raise typed.Quit
                if not piece:
                    raise _Abandoned("left unanswered; the request is still pending")
                line += piece
        return line.decode(errors="replace")

    def _is_pending(self, request: duvo.HumanRequest) -> bool:
        try:
            return is_pending(self._client.runs.run(request.run_id or ""), request)
        except duvo.DuvoError:
            return True


def check_terminal(wanted: str, instead: str) -> None:
    """Refuse the option `wanted`, which prompts, unless stdin and stderr are terminals."""
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stderr)):
        raise CommandFailed(f"{wanted} needs a terminal; without one, {instead}")


def _print(*lines: str) -> None:
    print("\n".join(lines), file=sys.stderr, flush=True)
