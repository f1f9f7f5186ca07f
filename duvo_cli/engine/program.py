"""Runs a program in the foreground, as if the shell had started it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..output import terminal
from .signals import Signals

_CANNOT_RUN = 126
_NOT_FOUND = 127
_SIGNALLED = 128


def run(program: Sequence[str], settings: Mapping[str, str], signals: Signals) -> int:
    """Run the program and return its exit code, or 128 plus the number of its signal.

    Args:
        settings: environment variables to set; profiles and proxies are kept out of their way.
    """
    early = signals.pending()
    if early is not None:
        return _SIGNALLED + early
    environment = {**os.environ, **settings}
    environment.pop("DUVO_PROFILE", None)
    for name in ("no_proxy", "NO_PROXY"):
        environment[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
    if shutil.which("duvo") is None:
        # This command was called by its path, from a virtual environment that is not active.
        here = str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), here])
    try:
        process = subprocess.Popen(program, env=environment, stdout=terminal.stdout())
    except FileNotFoundError:
        terminal.say(f"cannot run {program[0]!r}: not found")
        return _NOT_FOUND
    except (OSError, ValueError) as error:
        terminal.say(f"cannot run {program[0]!r}: {getattr(error, 'strerror', None) or error}")
        return _CANNOT_RUN

    def forward(number: int) -> None:
        if number != signal.SIGINT or not _in_foreground():
            # The terminal itself sends Ctrl-C to the program.
            process.send_signal(number)

    with signals.handled_by(forward):
        code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


def _in_foreground() -> bool:
    if sys.platform == "win32" or not hasattr(os, "tcgetpgrp"):
        # On Windows, all programs of a console receive its Ctrl-C.
        return True
    try:
        with Path("/dev/tty").open("rb") as tty:
            return os.tcgetpgrp(tty.fileno()) == os.getpgrp()
    except OSError:
        return False
