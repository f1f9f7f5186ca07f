"""A terminal that a test types into and reads from."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType


class PseudoTerminal:
    """A program in a terminal of its own.

    Args:
        program: the program and its arguments.
        environment: all its variables.
        columns: width of the terminal.
        term: its kind, the variable TERM.

    Attributes:
        seen: what was shown since the last match of `expect`.
        shown: all that was shown.
    """

    def __init__(
        self,
        program: Sequence[str],
        environment: dict[str, str],
        columns: int = 100,
        term: str = "xterm-256color",
    ):
        self.seen = ""
        self.shown = ""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.process = subprocess.Popen(
            program,
            env={**environment, "TERM": term},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def expect(self, pattern: str, seconds: float = 20.0) -> re.Match[str]:
        """Wait until the pattern is shown, and drop everything up to it."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end() :]
                return found
            assert self._read(deadline), f"{pattern!r} was not shown, but: {self.seen!r}"

    def end(self, seconds: float = 20.0) -> int:
        """Wait for the program to end; returns its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:
            return False
        text = piece.decode(errors="replace")
        self.seen += text
        self.shown += text
        return bool(piece)
