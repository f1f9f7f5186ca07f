"""A stand-in for IPython in a kernel, which records what is displayed."""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType

import pytest


class Notebook:
    """Records each display and update, with its time, in place of a cell's output.

    Attributes:
        outputs: the bundles of each output; the last one is on the screen.
        times: when each was shown, on the monotonic clock.
        fails_at: the number of the display or update that raises, counted from 1; 0 for none.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_kernel: bool = True):
        self.outputs: list[list[dict[str, str]]] = []
        self.times: list[float] = []
        self.fails_at = 0
        self.changed = threading.Condition()
        self.kernel = object() if has_kernel else None
        ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
        ipython.__dict__["get_ipython"] = lambda: self
        display.__dict__["display"] = self._display
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def _display(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        output: list[dict[str, str]] = []
        self.record(output, bundle)
        self.outputs.append(output)
        return Handle(self, output)

    def record(self, output: list[dict[str, str]], bundle: dict[str, str]) -> None:
        """Record what is shown, or fail."""
        with self.changed:
            self.times.append(time.monotonic())
            self.changed.notify_all()
            if len(self.times) == self.fails_at:
                raise ValueError("the front end is gone")
            output.append(bundle)

    def wait_for(self, count: int) -> None:
        """Wait until this many displays and updates have been seen."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.times) >= count, timeout=30)

    @property
    def html(self) -> str:
        """The HTML of the only output."""
        (output,) = self.outputs
        return output[-1]["text/html"]


class Handle:
    """The handle of an output."""

    def __init__(self, notebook: Notebook, output: list[dict[str, str]]):
        self._notebook = notebook
        self._output = output

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self._notebook.record(self._output, bundle)


class View:
    """A view that differs each time, or only when `text` is set."""

    def __init__(self, text: str = ""):
        self.text = text
        self.count = 0

    def _repr_html_(self) -> str:
        self.count += 1
        return self.text or str(self.count)
