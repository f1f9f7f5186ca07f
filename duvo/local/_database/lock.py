"""One engine at a time on a SQLite file: a second would take over the first one's runs."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from ..errors import DatabaseDamaged, DatabaseLocked
from .private_files import create_private, make_private

_held: set[tuple[int, Path]] = set()
"""The databases that engines of this process hold, each with the process's id.

A fork inherits the set, not the locks.
"""

_changing = threading.Lock()


class FileLock:
    """Held until it is released, or until its process ends in whatever way.

    It is a transaction on a small database beside the real one: the one lock
    that works alike on every system and file system that SQLite works on.

    Args:
        database: the file, without links in its path.

    Raises:
        DatabaseLocked: another engine holds it.
        DatabaseDamaged: the lock's file cannot be made.
    """

    def __init__(self, database: Path):
        self._holding = (os.getpid(), database)
        with _changing:
            if self._holding in _held:
                raise _held_already(database)
            _held.add(self._holding)
        try:
            self._connection = _locked(database)
        except BaseException:
            self._forget()
            raise

    def release(self) -> None:
        """Let the next engine in."""
        self._connection.close()
        self._forget()

    def _forget(self) -> None:
        with _changing:
            _held.discard(self._holding)


def _locked(database: Path) -> sqlite3.Connection:
    path = database.with_name(database.name + ".lock")
    try:
        create_private(path)
        # Before SQLite opens it: the journal gets the mode that it finds.
        make_private(path)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseDamaged(f"{path}: cannot be written ({error})") from None
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        if "locked" not in str(error):
            raise DatabaseDamaged(f"{path}: not a lock of ours ({error})") from None
        raise _held_already(database) from None
    return connection


def _held_already(database: Path) -> DatabaseLocked:
    return DatabaseLocked(
        f"{database}: another engine runs on this database; "
        f"stop it, or name another with --database"
    )
