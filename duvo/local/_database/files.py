"""The folder for the engine's files, and files for their owner only; needs no extra packages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from .._text import os_reason
from ..errors import EngineError

_OWNER_ONLY = 0o600


def state_folder() -> Path:
    """Return the folder for the engine's files: `DUVO_STATE_DIR`, or the system's place for it."""
    named = os.environ.get("DUVO_STATE_DIR", "").strip()
    try:
        if named:
            return Path(named).expanduser()
        import platformdirs

        return platformdirs.user_state_path("duvo", appauthor=False)
    except RuntimeError:
        raise EngineError(
            "the engine's files have no place, since there is no home directory; "
            "set DUVO_STATE_DIR to a directory"
        ) from None


def make_state_folder() -> None:
    """Create the state folder for its owner only, if it is missing."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EngineError(
            f"{folder}: the folder cannot be created ({os_reason(error)}); "
            f"name another with DUVO_STATE_DIR"
        ) from None


def is_state_folder(folder: Path) -> bool:
    """Whether the state folder is this one; there need not be any."""
    with contextlib.suppress(EngineError):
        return folder == state_folder().absolute()
    return False


def default_database(command: str = "dev") -> Path:
    """Return the file in which `duvo dev` or `duvo serve` keeps its runs by default."""
    return state_folder() / f"{command}.sqlite"


def create_private(file: Path) -> None:
    """Create the file, empty, if it is missing."""
    # An existing file must not even be opened: closing it would release every lock that this
    # process holds on it, SQLite's included.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))


def identity(file: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file, or None if it is missing."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def make_private(file: Path) -> None:
    """Take other users' access to this user's file away; does nothing if it is missing."""
    with contextlib.suppress(OSError):
        status = file.stat()
        owner = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
        if status.st_uid == owner and status.st_mode & 0o077:
            file.chmod(_OWNER_ONLY)


def opened_from(database: Path) -> Callable[[int], bool]:
    """Return a function that says whether a descriptor is of the database or a file beside it."""
    suffixes = ("", "-wal", "-shm", ".lock", ".lock-journal")
    paths = [database.with_name(database.name + suffix) for suffix in suffixes]

    def is_opened(descriptor: int) -> bool:
        found = os.fstat(descriptor)
        return any((found.st_dev, found.st_ino) == identity(path) for path in paths)

    return is_opened
