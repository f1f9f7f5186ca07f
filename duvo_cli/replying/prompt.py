"""Prompts for replies to human requests in the terminal."""

from __future__ import annotations

import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duvo

from ..errors import CommandFailed
from ..output import human_request, terminal
from . import keyboard, typed
from .inbox import can_be_answered, is_pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

POLL_EVERY = 2.0
"""Seconds between two checks whether the request was answered elsewhere."""


class _LeftOpen(Exception):
    """No reply was typed; the text says why."""


class Prompt:
    """Prompts for replies; can be the SDK's `on_request`.

    Args:
        deadline: when the time is up, on `time.monotonic`, or None.
        shows: whether the request is shown first.
        can_leave: whether the prompts are those of the inbox, where requests
            can be skipped, which raises `typed.Skipped`, or all left, which
            raises `typed.Quit`.
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
        """Return the reply that was typed, or None when the request stays unanswered.

        Raises BrokenPipeError when the reader of stdout has gone.
        """
        with terminal.hidden():
            if self._shows:
                self._show(request)
            if not can_be_answered(request):
                return None
            if not self._can_leave:
                _print(self._paint(f"{keyboard.END_KEYS} leaves the request open", "dim"))
            # What was typed before the request was shown is not a reply to it.
            keyboard.forget_typed()
            try:
                with _elsewhere(self._client, request) as elsewhere:
                    return self._reply(request, elsewhere)
            except keyboard.AnsweredElsewhere:
                _print("", "duvo: the request was answered elsewhere")
            except _LeftOpen as why:
                _print("", f"duvo: {why}; the request is still pending")
                _print(*human_request.how_to_answer(request, self._args, self._paint))
            return None

    def _show(self, request: duvo.HumanRequest) -> None:
        lines = human_request.lines(request, self._args, self._paint, prompted=True)
        if not self._can_leave:
            _print(f"duvo: run {request.run_id} is waiting for a human:")
            lines = [f"  {line}" for line in lines]
        _print(*lines)

    def _reply(
        self, request: duvo.HumanRequest, elsewhere: keyboard.Elsewhere
    ) -> bool | dict[str, str]:
        if not request.questions:
            decide: Callable[[str], bool] = typed.decision
            if self._can_leave:
                decide = typed.unless_left(None, decide, first=True)
            return self._until_valid(elsewhere, "Approve? [y/n] ", decide)
        replies: dict[str, str] = {}
        is_only = len(request.questions) == 1
        for question in request.questions:
            parse = typed.answers_to(question)
            if self._can_leave:
                parse = typed.unless_left(question, parse, first=not replies)
            reply = self._until_valid(elsewhere, typed.prompt(question, is_only=is_only), parse)
            replies[question.question] = reply
        return replies

    def _until_valid(
        self, elsewhere: keyboard.Elsewhere, prompt: str, parse: Callable[[str], T]
    ) -> T:
        while True:
            try:
                return parse(self._line(elsewhere, prompt).strip())
            except typed.NotUnderstood as why:
                _print(str(why))

    def _line(self, elsewhere: keyboard.Elsewhere, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        try:
            line = keyboard.typed_line(elsewhere, self._deadline)
        except keyboard.TimeIsUp:
            raise _LeftOpen("the time is up") from None
        except BrokenPipeError:
            _print("")
            raise
        if line.endswith(b"\n"):
            return line.decode(errors="replace")
        if self._can_leave:
            raise typed.Quit
        raise _LeftOpen("left unanswered")


@contextmanager
def _elsewhere(client: duvo.Client, request: duvo.HumanRequest) -> Iterator[keyboard.Elsewhere]:
    """Watch the request inside the block, and report when it is no longer pending.

    The run is read in a thread: a slow server delays neither what is typed nor the deadline.
    """
    elsewhere = keyboard.Elsewhere()
    over = threading.Event()

    def watch() -> None:
        try:
            while not over.wait(POLL_EVERY) and _is_pending(client, request):
                pass
        finally:
            elsewhere.report()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield elsewhere
    finally:
        over.set()
        elsewhere.close()


def _is_pending(client: duvo.Client, request: duvo.HumanRequest) -> bool:
    try:
        return is_pending(client.runs.run(request.run_id or ""), request)
    except duvo.DuvoError:
        return True


def check_terminal(wanted: str, instead: str) -> None:
    """Refuse the option `wanted`, which prompts, unless stdin and stderr are terminals."""
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stderr)):
        raise CommandFailed(f"{wanted} needs a terminal; without one, {instead}")


def _print(*lines: str) -> None:
    print("\n".join(lines), file=sys.stderr, flush=True)
