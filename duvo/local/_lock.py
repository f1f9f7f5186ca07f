"""One engine at a time on a SQLite file: a second would take over the first one's runs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .errors import DatabaseDamaged, DatabaseLocked


class FileLock:
    """Held until it is released, or until its process ends in whatever way.

    It is a transaction on a small database beside the real one: the one lock
    that works alike on every system and file system that SQLite works on.

    Raises:
        DatabaseLocked: another engine holds it.
        DatabaseDamaged: the lock's file cannot be made.
    """

    def __init__(self, database: Path):
        path = database.with_name(database.name + ".lock")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise DatabaseDamaged(f"{path}: cannot be written ({error})") from None
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._connection.close()
            if "locked" not in str(error):
                raise DatabaseDamaged(f"{path}: not a lock of ours ({error})") from None
            raise DatabaseLocked(
                f"{database}: another engine runs on this database; "
                f"stop it, or name another with --database"
            ) from None

    def release(self) -> None:
        """Let the next engine in."""
        self._connection.close()
