"""Files for their owner alone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_OWNER_ALONE = 0o600


def create_private(file: Path) -> None:
    """Make the file, empty, where it is missing.

    Raises:
        OSError: it cannot be made.
    """
    # One that exists must not even be opened: closing it would let go of every
    # lock that this process has on it, those of SQLite among them.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE))


def make_private(file: Path) -> None:
    """Take a file of this user away from everybody else; does nothing where it is missing."""
    with contextlib.suppress(OSError):
        found = file.stat()
        owner = os.geteuid() if hasattr(os, "geteuid") else found.st_uid
        if found.st_uid == owner and found.st_mode & 0o077:
            file.chmod(_OWNER_ALONE)
