"""One engine at a time on a SQLite file: a second one would take over the first one's runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import DatabaseDamaged, DatabaseLocked
from .files import create_private, make_private

_held: set[tuple[int, Path]] = set()
"""Process id and file of each lock held here; a forked process inherits the set, not the locks."""

_held_guard = threading.Lock()


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the database's lock inside the block, or until the process ends.

    It is a transaction on a small database beside the real one: the only lock
    that works wherever SQLite works. Links in the file's path must be resolved.
    """
    entry = (os.getpid(), database)
    with _held_guard:
        if entry in _held:
            raise _already_held(database)
        _held.add(entry)
    try:
        with contextlib.closing(_lock(database)):
            yield
    finally:
        with _held_guard:
            _held.discard(entry)


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


@contextlib.contextmanager
def noted_owner(database: Path, port: int) -> Iterator[None]:
    """Inside the block, note which process holds the lock, for errors in other processes."""
    note = _note(database)
    with contextlib.suppress(OSError):
        create_private(note)
        note.write_text(f"{os.getpid()} {port}", encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()


def _note(database: Path) -> Path:
    return database.with_name(database.name + ".pid")


def _owner(database: Path) -> str:
    """Return the port and process of the engine on this database, or "" if unknown."""
    try:
        pid, port = map(int, _note(database).read_text(encoding="utf-8").split())
        if sys.platform != "win32":  # there, it would send Ctrl-C
            os.kill(pid, 0)
    except PermissionError:
        pass
    except (OSError, ValueError, OverflowError):
        return ""
    return f" (port {port}, process {pid})"


def _already_held(database: Path) -> DatabaseLocked:
    return DatabaseLocked(
        f"{database}: another engine runs on this database{_owner(database)}; "
        f"stop it, or name another with database="
    )
