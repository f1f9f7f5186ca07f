"""Running a program in the foreground, as if it had been called by itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOPBACK = "127.0.0.1"
_CANNOT_RUN = 126
_NOT_FOUND = 127
_SIGNALLED = 128


class Signals:
    """Passes signals on to a program; one that comes before the program keeps it from starting."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.early: int | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: what `signal.signal` calls."""
        if self.process is None:
            self.early = number
        elif number != signal.SIGINT or not _in_foreground():
            # A terminal sends Ctrl-C to the program by itself.
            self.process.send_signal(number)


@contextlib.contextmanager
def forwarding_signals() -> Iterator[Signals]:
    """Signals go to the program while the block lasts, instead of ending this process."""
    signals = Signals()
    before = {number: signal.signal(number, signals.handle) for number in _FORWARDED}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(program: Sequence[str], settings: Mapping[str, str], signals: Signals) -> int:
    """Run the program to its end.

    Args:
        program: the program and its arguments.
        settings: environment variables to set for it; no profile and no proxy is in its way.
        signals: what passes signals on.

    Returns:
        Its exit code; 128 and the signal's number when a signal ended it.
    """
    if signals.early is not None:
        return _SIGNALLED + signals.early
    environment = {**os.environ, **settings}
    environment.pop("DUVO_PROFILE", None)
    for name in ("no_proxy", "NO_PROXY"):
        environment[name] = ",".join(filter(None, [os.environ.get(name), _LOOPBACK]))
    if shutil.which("duvo") is None:
        # Called by its path, out of a virtual environment that is not activated.
        here = str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), here])
    try:
        process = subprocess.Popen(program, env=environment)
    except FileNotFoundError:
        terminal.say(f"cannot run {program[0]!r}: it was not found")
        return _NOT_FOUND
    except (OSError, ValueError) as error:
        terminal.say(f"cannot run {program[0]!r}: {getattr(error, 'strerror', None) or error}")
        return _CANNOT_RUN
    signals.process = process
    if signals.early is not None:
        process.send_signal(signals.early)
    code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


def _in_foreground() -> bool:
    try:
        with Path("/dev/tty").open("rb") as tty:
            return os.tcgetpgrp(tty.fileno()) == os.getpgrp()
    except OSError:
        return False
