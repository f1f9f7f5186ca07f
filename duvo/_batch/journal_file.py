"""The file of a journal: created, checked, and locked by one process at a time."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
from pathlib import Path

from .._errors import JournalError
from .fingerprints import BY_CONTENT, is_key, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 3
"""Version of the tables; a file of a newer version is refused."""

DAMAGED = (
    "is damaged ({}): restore it from a copy, or move it away, "
    "after which all inputs are started again"
)
"""What is wrong with a journal, and what to do; with the reason in it."""

_APPLICATION = 0x6475766F  # "duvo" in ASCII, the mark of a journal
_OWNER_ALONE = 0o600
_ATTEMPTS = 6

# The runs of earlier attempts, whose inputs have or will have another run.
_EARLIER_RUNS = "CREATE TABLE earlier_runs (run_id TEXT PRIMARY KEY, input_id INTEGER NOT NULL)"

_ADDED_IN_VERSION = {
    2: (
        "ALTER TABLE batch ADD COLUMN named_by TEXT",
        "ALTER TABLE inputs ADD COLUMN message TEXT",
    ),
    3: (_EARLIER_RUNS,),
}

_TABLES = (
    """
    CREATE TABLE batch (
        server TEXT NOT NULL,
        team_id TEXT NOT NULL,
        agent_id TEXT NOT NULL,
        passes INTEGER NOT NULL,
        mark TEXT,
        named_by TEXT
    )
    """,
    # `met` counts the inputs with this name that were taken in the pass `pass`. Only
    # the name's first row has it.
    """
    CREATE TABLE inputs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        occurrence INTEGER NOT NULL,
        pass INTEGER NOT NULL,
        met INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('new', 'sending', 'started', 'finished')),
        idempotency_key TEXT NOT NULL,
        sent_at REAL,
        run_id TEXT CHECK ((run_id IS NOT NULL) = (state IN ('started', 'finished'))),
        result TEXT CHECK ((result IS NOT NULL) = (state = 'finished')),
        delivered INTEGER NOT NULL CHECK (NOT delivered OR state = 'finished'),
        message TEXT
    )
    """,
    "CREATE UNIQUE INDEX inputs_name ON inputs (name, occurrence)",
    # Two inputs never share a run: this refuses to adopt a run twice.
    "CREATE UNIQUE INDEX inputs_run ON inputs (run_id) WHERE run_id IS NOT NULL",
    _EARLIER_RUNS,
)


def open_file(file: Path, owner: tuple[str, str, str], named_by: str) -> sqlite3.Connection:
    """Open the journal in this file, created if missing, for this process alone.

    The lock is SQLite's own on the file: it does not need shared memory, and is
    released however the process ends. A file that cannot be used is not changed.

    Args:
        file: the absolute path.
        owner: server, team and agent.
        named_by: the rule by which inputs are named.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            # Of two processes that open it at the same moment, one must succeed.
            time.sleep(random.uniform(0.01, 0.04))
        try:
            return _opened(file, owner, named_by)
        except (sqlite3.Error, OSError, ValueError) as error:
            if not _is_locked(error):
                raise _refusal(file, error) from None
    raise JournalError(
        f"the journal {file} is in use by another process: "
        "wait until it has ended, stop it, or use another journal"
    )


def open_private(owner: tuple[str, str, str]) -> sqlite3.Connection:
    """Open a journal that ends with this process: in memory, or on disk if it grows."""
    connection = _connected("")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    _create(connection, owner)
    connection.execute("COMMIT")
    return connection


def _opened(file: Path, owner: tuple[str, str, str], named_by: str) -> sqlite3.Connection:
    # An existing file is opened by SQLite only: closing it here would release the
    # locks that this process has on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE))
    connection = _connected(str(file))
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        if _is_empty(connection):
            _create(connection, owner)
        else:
            _check(file, connection, owner)
            _bring_up_to_date(connection)
        _check_rule(file, connection, named_by)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        # The journal has results. Not before it was read: it might be another file.
        for part in (file, file.with_name(file.name + "-wal")):
            _make_private(part)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        found = file.stat()
        # Windows has no owners of this kind: its files inherit their directory's permissions.
        is_ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        if is_ours and found.st_mode & 0o077:
            file.chmod(_OWNER_ALONE)


class _Connection(sqlite3.Connection):
    """A connection that is closed when the last reference to it is dropped.

    An abandoned batch leaves its journal without closing it. Python closes a dropped
    connection itself, but since 3.13 with a ResourceWarning.
    """

    def __del__(self) -> None:
        # If the file could not be opened, there is nothing to close.
        with contextlib.suppress(sqlite3.Error):
            self.close()


def _connected(database: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    connection.execute("PRAGMA temp_store = FILE")
    return connection


def _is_empty(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and _pragma(connection, "application_id") == 0


def _create(connection: sqlite3.Connection, owner: tuple[str, str, str]) -> None:
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO batch VALUES (?, ?, ?, 0, NULL, NULL)", owner)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _check(file: Path, connection: sqlite3.Connection, owner: tuple[str, str, str]) -> None:
    if _pragma(connection, "application_id") != _APPLICATION:
        raise JournalError(f"{file} is a database, but not a journal: use another file")
    if _pragma(connection, "user_version") > VERSION:
        raise JournalError(
            f"the journal {file} was written by a newer version: update duvo, "
            "or use another journal"
        )
    found = connection.execute("SELECT server, team_id, agent_id FROM batch").fetchone()
    for what, theirs, ours in zip(("server", "team", "agent"), found, owner, strict=True):
        if theirs != ours:
            raise JournalError(
                f"the journal {file} belongs to the {what} {theirs}, not to {ours}: "
                "use another journal"
            )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    found = _pragma(connection, "user_version")
    for version, statements in _ADDED_IN_VERSION.items():
        if version > found:
            for statement in statements:
                connection.execute(statement)
    if found < VERSION:
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_rule(file: Path, connection: sqlite3.Connection, named_by: str) -> None:
    first = connection.execute("SELECT name FROM inputs LIMIT 1").fetchone()
    known = connection.execute("SELECT named_by FROM batch").fetchone()[0]
    if first is not None:
        # Version 1 recorded only whether inputs have keys.
        is_same = known == named_by
        if known is None:
            is_same = is_key(first[0]) == (named_by != BY_CONTENT)
        if not is_same:
            theirs = rule(known) if known else "keys" if is_key(first[0]) else rule(BY_CONTENT)
            raise JournalError(
                f"the journal {file} identifies inputs by {theirs}, not by {rule(named_by)}: give "
                "the same key, or use another journal"
            )
    if known != named_by:
        connection.execute("UPDATE batch SET named_by = ?", (named_by,))


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and str(error) == "database is locked"


def is_damage(error: Exception) -> bool:
    """Whether the content of the file is the reason, and not the access to it."""
    return type(error) is sqlite3.DatabaseError


def _refusal(file: Path, error: Exception) -> JournalError:
    if isinstance(error, FileNotFoundError):
        return JournalError(
            f"the journal {file} cannot be created: the directory {file.parent} does not exist"
        )
    if file.is_dir():
        return JournalError(f"{file} is a directory; give the name of a file")
    if "not a database" in str(error):
        return JournalError(f"{file} is not a journal: use another file")
    if is_damage(error):
        return JournalError(f"the journal {file} {DAMAGED.format(error)}")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return JournalError(
        f"the journal {file} cannot be written ({reason}): use a file in a local directory "
        "that you may write to"
    )
