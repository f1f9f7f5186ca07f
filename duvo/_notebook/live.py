"""Output that changes while `show` runs: one output in a notebook, and lines elsewhere.

Nothing else in the SDK prints.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Protocol

INTERVAL = 1 / 3
"""Seconds between two updates. With the last one, which is not delayed, four come in a second."""


class View(Protocol):
    """An object that changes, and its HTML."""

    def _repr_html_(self) -> str: ...


class Live:
    """Shows a view while a block runs.

    In a notebook it is one output, updated when its HTML has changed. Elsewhere, and when
    that fails, the lines that are added are printed.

    Args:
        view: what to show; read from another thread.
    """

    def __init__(self, view: View):
        self._view = view
        self._lines: list[str] = []
        self._shown = ""
        # IPython's handle of the output; None if lines are printed.
        self._handle: Any = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Live:
        display = _ipython_display()
        if display is not None:
            self._draw(lambda bundle: display(bundle, raw=True, display_id=True))
        if self._handle is not None:
            self._thread = threading.Thread(
                target=self._keep_drawing, name="duvo-show", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._update()
        self._print()

    def add(self, line: str) -> None:
        """Add a line of text about something new."""
        self._lines.append(line)
        if self._handle is None:
            self._print()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._update()

    def _update(self) -> None:
        handle = self._handle
        if handle is not None:
            self._draw(lambda bundle: handle.update(bundle, raw=True) or handle)

    def _draw(self, show: Any) -> None:
        """Show the view if it has changed; if that fails, print lines from now on."""
        count = len(self._lines)
        try:
            html = self._view._repr_html_()
            if html != self._shown:
                self._handle = show({"text/html": html, "text/plain": repr(self._view)})
                self._shown = html
        except Exception:
            self._handle = None
        else:
            if self._handle is not None:
                del self._lines[:count]

    def _print(self) -> None:
        while self._lines and self._handle is None:
            print(_printable(self._lines.pop(0)), flush=True)


def _ipython_display() -> Any:
    """Return IPython's `display` in a notebook, or None.

    IPython is never imported: a notebook has loaded it. A terminal would show each update
    below the last.
    """
    try:
        shell = sys.modules["IPython"].get_ipython()
        return sys.modules["IPython.display"].display if shell.kernel is not None else None
    except (KeyError, AttributeError):
        return None


def _printable(text: str) -> str:
    """Return the text with its control characters, and those stdout cannot encode, escaped."""
    shown = "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1]
        for character in text
    )
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)
