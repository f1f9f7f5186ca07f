"""The installed command, as a subprocess."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

DUVO = str(Path(sys.executable).parent / "duvo")

T = TypeVar("T")


class Command:
    """Run `duvo` with additional environment variables.

    Args:
        settings: the additional variables.
    """

    def __init__(self, settings: dict[str, str]):
        self.settings = settings

    @property
    def environment(self) -> dict[str, str]:
        """All variables, with the directory of `duvo` and this Python first in PATH."""
        path = os.pathsep.join([str(Path(DUVO).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, **self.settings}

    def __call__(
        self, *arguments: str, input: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return subprocess.run(
            [DUVO, *arguments],
            env={**self.environment, **settings},
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start the command; the caller must end it."""
        return subprocess.Popen(
            [DUVO, *arguments],
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def rest_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the rest of stdout and stderr, after some lines were read.

    `communicate` would lose what was read ahead of those lines.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        return process.stdout.read(), process.stderr.read()


def wait_for(look: Callable[[], T], seconds: float = 20.0) -> T:
    """Call `look` until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.02)
