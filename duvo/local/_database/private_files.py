"""Files that only their owner may read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_OWNER_ONLY = 0o600


def create_private(file: Path) -> None:
    """Create the file, empty, if it is missing."""
    # An existing file must not even be opened: closing it would release every lock that this
    # process holds on it, SQLite's included.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))


def make_private(file: Path) -> None:
    """Take other users' access to this user's file away; does nothing if it is missing."""
    with contextlib.suppress(OSError):
        status = file.stat()
        owner = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
        if status.st_uid == owner and status.st_mode & 0o077:
            file.chmod(_OWNER_ONLY)
