"""A lock between processes, over fcntl or, on Windows, msvcrt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_FILE = ".lock"
"""Name of the locked file in a directory, where a directory cannot be locked itself."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Wait for the lock on a directory, and hold it inside the block or until the process ends.

    Some network file systems have no locks; there the block is entered without one.

    Raises:
        OSError: the directory cannot be opened, or on Windows a file in it.
    """
    descriptor = _opened(directory)
    try:
        with contextlib.suppress(OSError):
            _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)


# The types of fcntl and msvcrt depend on the system that the types are checked for.


def _opened(directory: Path) -> int:
    if fcntl is not None:
        return os.open(directory, os.O_RDONLY)
    return os.open(directory / _FILE, os.O_RDWR | os.O_CREAT, 0o600)


def _wait_for(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # type: ignore[attr-defined, unused-ignore]
        return
    import msvcrt

    # Tries for ten seconds.
    msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined, unused-ignore]
