"""One engine at a time on a SQLite file: a second one would take over the first one's runs."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from ..errors import DatabaseDamaged, DatabaseLocked
from .private_files import create_private, make_private

_held: set[tuple[int, Path]] = set()
"""Process id and file of each lock held here; a forked process inherits the set, not the locks."""

_held_guard = threading.Lock()


class FileLock:
    """A lock held until it is released or its process ends.

    It is a transaction on a small database beside the real one: the only lock
    that works wherever SQLite works. Links in the file's path must be resolved.
    """

    def __init__(self, database: Path):
        self._entry = (os.getpid(), database)
        with _held_guard:
            if self._entry in _held:
                raise _already_held(database)
            _held.add(self._entry)
        try:
            self._connection = _lock(database)
        except BaseException:
            self._forget()
            raise

    def release(self) -> None:
        """Release the lock."""
        self._connection.close()
        self._forget()

    def _forget(self) -> None:
        with _held_guard:
            _held.discard(self._entry)


def _lock(database: Path) -> sqlite3.Connection:
    path = database.with_name(database.name + ".lock")
    try:
        create_private(path)
        # Before SQLite opens the file: its journal copies the mode.
        make_private(path)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseDamaged(f"{path}: cannot be written ({error})") from None
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        if "locked" not in str(error):
            raise DatabaseDamaged(f"{path}: not a lock of the engine ({error})") from None
        raise _already_held(database) from None
    return connection


def _already_held(database: Path) -> DatabaseLocked:
    return DatabaseLocked(
        f"{database}: another engine runs on this database; "
        f"stop it, or name another with --database"
    )
