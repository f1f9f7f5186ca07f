"""Asking the one at the terminal what a run asks a human for."""

from __future__ import annotations

import os
import select
import sys
import time

import duvo

from ..errors import CommandFailed
from ..output import human_request, terminal
from . import typed
from .inbox import can_be_answered

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import TypeVar

    from duvo import Client, HumanRequest

    T = TypeVar("T")

LOOK_EVERY = 2.0
"""Seconds between two looks at whether somebody else has answered."""


class _GivenUp(Exception):
    """The prompt has no more use; the text says why."""


class Asker:
    """Prompts for replies; what `on_request` may be.

    Args:
        client: what looks whether the request is still pending.
        args: the command line.
        deadline: when the whole command's time is up, on `time.monotonic`, or None.
        shows: whether the request has to be shown first.
        one_of_many: whether others follow, so that this one may be skipped, or all be left;
            `typed_replies.Skipped` and `typed_replies.Quit` are raised then.
    """

    def __init__(
        self,
        client: Client,
        args: argparse.Namespace,
        deadline: float | None,
        *,
        shows: bool,
        one_of_many: bool = False,
    ):
        self._client = client
        self._args = args
        self._deadline = deadline
        self._shows = shows
        self._one_of_many = one_of_many
        self._paint = terminal.paint_for(sys.stderr)

    def __call__(self, request: HumanRequest) -> bool | dict[str, str] | None:
        """The reply that was typed, or None when the request is left to others."""
        if not can_be_answered(request):
            return None
        with terminal.hidden():
            if self._shows:
                _tell(*human_request.lines(request, self._args, self._paint))
            try:
                return self._reply(request)
            except _GivenUp as why:
                _tell("", f"duvo: {why}")
                return None

    def _reply(self, request: HumanRequest) -> bool | dict[str, str]:
        if not request.questions:
            return self._until_valid(request, "Approve? [y/n] ", typed.decision)
        replies = {}
        for question in request.questions:
            prompt = typed.prompt(question)
            _tell(*prompt[:-1])
            replies[question.question] = self._until_valid(
                request, prompt[-1], typed.answers_to(question)
            )
        return replies

    def _until_valid(self, request: HumanRequest, prompt: str, understand: Callable[[str], T]) -> T:
        if self._one_of_many:
            understand = typed.unless_left(understand)
        while True:
            try:
                return understand(self._line(request, prompt).strip())
            except typed.NotUnderstood as why:
                _tell(str(why))

    def _line(self, request: HumanRequest, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        stdin = sys.stdin.fileno()
        look_at = time.monotonic() + LOOK_EVERY
        line = b""
        while not line.endswith(b"\n"):
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                raise _GivenUp("the time is up; the request is still pending")
            if now >= look_at:
                if not self._is_pending(request):
                    raise _GivenUp("somebody else has answered")
                look_at = time.monotonic() + LOOK_EVERY
            until = look_at if self._deadline is None else min(look_at, self._deadline)
            ready, _, _ = select.select([stdin], [], [], max(0.0, until - time.monotonic()))
            if ready:
                piece = os.read(stdin, 65536)
                if not piece and self._one_of_many:
                    raise typed.Quit
                if not piece:
                    raise _GivenUp("left unanswered; it is still pending")
                line += piece
        return line.decode(errors="replace")

    def _is_pending(self, request: HumanRequest) -> bool:
        try:
            pending = self._client.runs.get(request.run_id or "").pending_request
        except duvo.DuvoError:
            return True
        return pending is not None and pending.id == request.id


def check_terminal(wanted: str, instead: str) -> None:
    """Refuse to ask where nobody can be asked.

    Args:
        wanted: what asks.
        instead: what to do without a terminal.

    Raises:
        CommandFailed: stdin or stderr is no terminal.
    """
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stderr)):
        raise CommandFailed(f"{wanted} needs a terminal; without one {instead}")


def _tell(*lines: str) -> None:
    print("\n".join(lines), file=sys.stderr, flush=True)
