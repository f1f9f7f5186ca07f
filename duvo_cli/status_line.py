"""One line at the bottom of the terminal that tells that something still goes on."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ERASE = "\r\x1b[K"


class StatusLine:
    """A line on stderr while the block lasts; nothing where stderr is no terminal.

    Args:
        describe: what to show; called each second from another thread.
    """

    def __init__(self, describe: Callable[[], str]):
        self.detail = ""
        """What is being waited for just now."""
        self._describe = describe
        self._began = time.monotonic()
        self._drawing = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> StatusLine:
        if terminal.is_terminal(sys.stderr):
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
        self._write(_ERASE)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Off the screen while the block lasts."""
        with self._drawing:
            self._write(_ERASE)
            yield

    def _keep_drawing(self) -> None:
        while not self._ended.wait(1.0):
            with self._drawing:
                if not self._ended.is_set():
                    self._write(_ERASE + self._text())

    def _text(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        parts = [self._describe(), f"{minutes}:{seconds:02}", self.detail]
        text = terminal.in_one_line(" · ".join(part for part in parts if part))
        return text[: (terminal.width(sys.stderr) or 80) - 1]

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            self._ended.set()
