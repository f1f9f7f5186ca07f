"""Lines at the bottom of the terminal that are drawn again, in place, as things go on."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import contextmanager

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO, TypeAlias

    Describe: TypeAlias = Callable[[os.terminal_size], list[str]]

OFTEN = 0.1
"""Seconds between two drawings at least, however much happens."""

ERASE = "\r\x1b[K"
_ERASE_ONE_ABOVE = "\x1b[1A\x1b[K"


class Live:
    """Lines on a stream while the block lasts; nothing where the stream is no terminal.

    Args:
        stream: where.
        describe: the lines to show, none longer than the terminal is wide;
            called each second from another thread.
        stays: whether they stay when the block ends, as they are then.
    """

    def __init__(self, stream: TextIO | None, describe: Describe, *, stays: bool = False):
        self.detail = ""
        """What is being waited for just now."""
        self._stream = stream
        self._describe = describe
        self._stays = stays
        self._height = 0
        self._drawn_at = 0.0
        self._drawing = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Live:
        if terminal.is_terminal(self._stream):
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
        """Off the screen while the block lasts, and on it again at once."""
        with self._drawing:
            was_shown = bool(self._height)
            self._erase()
            yield
            if was_shown and not self._ended.is_set():
                self._draw()

    def draw(self) -> None:
        """Show how it is now, without waiting for the second to be over."""
        if time.monotonic() - self._drawn_at < OFTEN:
            return
        with self._drawing:
            if self._thread is not None and not self._ended.is_set():
                self._draw()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(1.0):
            self.draw()

    def _draw(self, end: str = "") -> None:
        size = shutil.get_terminal_size()
        lines = self._describe(size)[: size.lines - 1]
        self._write(self._erasing() + "\n".join(lines) + end)
        self._height = len(lines)
        self._drawn_at = time.monotonic()

    def _erase(self) -> None:
        self._write(self._erasing())
        self._height = 0

    def _erasing(self) -> str:
        return ERASE + _ERASE_ONE_ABOVE * (self._height - 1)

    def _write(self, text: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._ended.set()
