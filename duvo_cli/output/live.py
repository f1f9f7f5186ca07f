"""Lines at the bottom of the terminal that are redrawn in place."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import terminal
from .table import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

MIN_INTERVAL = 0.1
"""Minimum seconds between two drawings."""

ERASE = "\r\x1b[K"
_ERASE_LINE_ABOVE = "\x1b[1A\x1b[K"


class Live:
    """Shows lines on a stream during a block; does nothing if the stream cannot be redrawn.

    Args:
        describe: returns the lines, none wider than the terminal; called every
            second, from another thread.
        stays: whether the last lines remain when the block ends.
    """

    def __init__(
        self,
        stream: TextIO | None,
        describe: Callable[[os.terminal_size], list[str]],
        *,
        stays: bool = False,
    ):
        self.detail = ""
        """What is being waited for right now."""
        self._stream = stream
        self._describe = describe
        self._stays = stays
        self._height = 0
        self._hiders = 0
        self._drawn_at = 0.0
        self._drawing = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Live:
        if terminal.can_redraw(self._stream):
            terminal.shown = self
            self._thread = threading.Thread(target=self._keep_drawing, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            return
        self._ended.set()
        terminal.shown = None
        self._thread.join()
        if self._stays:
            self._draw("\n")
        else:
            self._erase()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the lines off the screen during a block, which other threads may write in too."""
        with self._drawing:
            was_shown = bool(self._height)
            self._erase()
            self._hiders += 1
        try:
            yield
        finally:
            with self._drawing:
                self._hiders -= 1
        with self._drawing:
            if was_shown and not self._hiders and not self._ended.is_set():
                self._draw()

    def draw(self) -> None:
        """Redraw the lines now, unless they have just been drawn."""
        if time.monotonic() - self._drawn_at < MIN_INTERVAL:
            return
        with self._drawing:
            if self._thread is not None and not self._hiders and not self._ended.is_set():
                self._draw()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(1.0):
            self.draw()

    def _draw(self, end: str = "") -> None:
        assert self._stream is not None
        size = terminal.size(self._stream)
        lines = self._describe(size)[: size.lines - 1]
        self._write(self._erasing() + "\n".join(lines) + end)
        self._height = len(lines)
        self._drawn_at = time.monotonic()

    def _erase(self) -> None:
        self._write(self._erasing())
        self._height = 0

    def _erasing(self) -> str:
        return ERASE + _ERASE_LINE_ABOVE * (self._height - 1)

    def _write(self, text: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._ended.set()


class StatusLine(Live):
    """Shows on stderr the line that `describe` returns, and the time since the block began."""

    def __init__(self, describe: Callable[[], str]):
        began = time.monotonic()

        def line(size: os.terminal_size) -> list[str]:
            minutes, seconds = divmod(int(time.monotonic() - began), 60)
            parts = [describe(), f"{minutes}:{seconds:02}", self.detail]
            text = terminal.in_one_line(" · ".join(part for part in parts if part))
            return [cut(text, size.columns - 1)]

        super().__init__(sys.stderr, line)
