"""Waits for a typed line until the line is no longer needed."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from typing import Any

from .. import reader

END_KEYS = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
"""The keys that end the input."""

_AT_ONCE = 65536
_LOOK_EVERY = 0.1
"""Seconds between checks of `Elsewhere` and the deadline, where a thread reads the line."""


class AnsweredElsewhere(Exception):
    """The request was answered elsewhere."""


class TimeIsUp(Exception):
    """The deadline passed before a line was typed."""


class Elsewhere:
    """Whether a request was answered elsewhere; reported once, from another thread."""

    def __init__(self) -> None:
        self.is_reported = False
        self.descriptor, self._open_until_reported = os.pipe()

    def report(self) -> None:
        """End the wait for a line."""
        self.is_reported = True
        os.close(self._open_until_reported)

    def close(self) -> None:
        """Ignore a later report."""
        os.close(self.descriptor)


def forget_typed() -> None:
    """Discard what was typed so far."""
    try:
        import termios
    except ImportError:
        _typing.forget()
    else:
        # typeshed has these names on POSIX only.
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # type: ignore[attr-defined, unused-ignore]


def typed_line(elsewhere: Elsewhere, deadline: float | None) -> bytes:
    """Return the next line with its end, or what was typed before the input ended.

    Raises:
        AnsweredElsewhere: the request was answered elsewhere.
        TimeIsUp: the deadline has passed, a time on `time.monotonic`.
        BrokenPipeError: the reader of stdout has gone.
    """
    wait = _wait_by_poll if hasattr(select, "poll") else _typing.wait
    line = b""
    while not line.endswith(b"\n"):
        piece = wait(elsewhere, deadline)
        line += piece
        if not piece:
            break
    return line


def _wait_by_poll(elsewhere: Elsewhere, deadline: float | None) -> bytes:
    stdin = sys.stdin.fileno()
    poll: Any = select.poll()  # type: ignore[attr-defined, unused-ignore]
    poll.register(stdin, select.POLLIN)  # type: ignore[attr-defined, unused-ignore]
    poll.register(elsewhere.descriptor, 0)
    reader.register(poll)
    while True:
        left = _seconds_left(deadline)
        ready = {descriptor for descriptor, _ in poll.poll(left and left * 1000)}
        if stdin in ready:
            return os.read(stdin, _AT_ONCE)
        if elsewhere.descriptor in ready:
            raise AnsweredElsewhere
        if ready:
            raise BrokenPipeError
        if _seconds_left(deadline) == 0:
            raise TimeIsUp


class _Typing:
    """Reads stdin in a thread, one piece at a time, where a terminal cannot be polled.

    A read cannot be cancelled. What it returns after its prompt belongs to the next prompt.
    """

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_reading = False

    def forget(self) -> None:
        """Discard what was typed so far."""
        import msvcrt

        if self._is_reading and not self._pieces.empty():
            self._pieces.get()
            self._is_reading = False
        # typeshed has these names on Windows only.
        while not self._is_reading and msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            msvcrt.getwch()  # type: ignore[attr-defined, unused-ignore]

    def wait(self, elsewhere: Elsewhere, deadline: float | None) -> bytes:
        """Return the next piece, empty at the end of the input."""
        if not self._is_reading:
            self._is_reading = True
            threading.Thread(target=self._read, daemon=True).start()
        while True:
            left = _seconds_left(deadline)
            try:
                piece = self._pieces.get(timeout=min(_LOOK_EVERY, left or _LOOK_EVERY))
            except queue.Empty:
                if elsewhere.is_reported:
                    raise AnsweredElsewhere from None
                if left == 0:
                    raise TimeIsUp from None
            else:
                self._is_reading = False
                return piece

    def _read(self) -> None:
        # Not of the buffer: its lock would be held when the process ends.
        buffer: Any = sys.stdin.buffer
        self._pieces.put(buffer.raw.read(_AT_ONCE) or b"")


_typing = _Typing()


def _seconds_left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
