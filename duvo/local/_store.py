"""The database: opened, checked, and asked in transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from . import _schema
from ._location import Location
from ._lock import FileLock
from ._private_files import create_private, make_private
from .errors import DatabaseDamaged, DatabaseLocked, EngineError

T = TypeVar("T")

_PREPARING = 0x6475766F
"""The lock of PostgreSQL that a server holds while it makes the tables."""

_PAUSE = 0.3
"""Seconds between two tries of a transaction that the database could not take."""


class Store:
    """One database, held by this engine.

    Attributes:
        engine: the pool of connections; the execution of turns uses it too.
    """

    def __init__(self, location: Location):
        self._closed = threading.Event()
        self._lock = FileLock(location.file) if location.file else None
        self._is_file = location.file is not None
        try:
            self.engine = _open(location)
            try:
                _prepare(self.engine, location)
                if location.file:
                    # Only now: before it was read, it may have been another program's.
                    for end in ("", "-wal", "-shm"):
                        make_private(location.file.with_name(location.file.name + end))
            except BaseException:
                self.engine.dispose()
                raise
        except BaseException:
            if self._lock:
                self._lock.release()
            raise

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in one transaction, and again when the database was away.

        Work that may be repeated must be harmless when repeated: what it
        appends carries ids that were made before.
        """
        while True:
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                passing = not self._is_file or "locked" in str(error.orig)
                if not passing or self._closed.wait(_PAUSE):
                    raise

    def close(self) -> None:
        """Close every connection, and let the next engine in."""
        self._closed.set()
        self.engine.dispose()
        if self._lock:
            self._lock.release()


def _open(location: Location) -> sa.Engine:
    if location.file is None:
        return sa.create_engine(
            location.url,
            connect_args={"connect_timeout": location.url.query.get("connect_timeout", 10)},
            pool_size=16,
            max_overflow=0,
            pool_pre_ping=True,
        )
    if sqlite3.sqlite_version_info < (3, 35):
        raise EngineError(
            f"the engine needs SQLite 3.35 or newer, this Python has {sqlite3.sqlite_version}; "
            f"use another Python, or a PostgreSQL database"
        )
    try:
        # SQLite gives its side files the mode of this one.
        create_private(location.file)
    except OSError as error:
        raise DatabaseDamaged(f"{location.file}: cannot be written ({error.strerror})") from None
    engine = sa.create_engine(
        location.url,
        poolclass=sa.QueuePool,
        pool_size=16,
        max_overflow=0,
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # A transaction that reads before it writes would fail when another wrote between.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if sqlite3.sqlite_version_info < (3, 42):
            connection.create_function("unixepoch", 1, _unixepoch)

    return engine


def _unixepoch(modifier: str) -> float:
    # DBOS takes every Python from 3.12 on to have a SQLite that knows 'subsec'; where the
    # system's is older, the built-in gives NULL, and no table of DBOS takes a row.
    if modifier != "subsec":
        raise ValueError(modifier)
    return round(time.time(), 3)


def _prepare(engine: sa.Engine, location: Location) -> None:
    try:
        with engine.begin() as connection:
            if location.file is None:
                # Servers that begin at once would all make the tables.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PREPARING)))
            present = set(sa.inspect(connection).get_table_names())
            if location.file and present and _schema.meta.name not in present:
                raise DatabaseDamaged(
                    f"{location.shown}: a database of another program; name another file"
                )
            _schema.metadata.create_all(connection)
            version = connection.scalar(sa.select(_schema.meta.c.version))
            if version is None:
                connection.execute(_schema.meta.insert().values(version=_schema.VERSION))
            elif version != _schema.VERSION:
                raise DatabaseDamaged(
                    f"{location.shown}: of version {version}, this duvo knows {_schema.VERSION}; "
                    f"use the duvo that made it, or name another database"
                )
    except DBAPIError as error:
        raise _explained(error, location) from None


def _explained(error: DBAPIError, location: Location) -> Exception:
    why = " ".join(str(error.orig).split())
    if "locked" in why:
        return DatabaseLocked(f"{location.shown}: another program holds the database ({why})")
    if location.file is None:
        return DatabaseDamaged(f"{location.shown}: the database cannot be used ({why})")
    return DatabaseDamaged(f"{location.shown}: not a usable database ({why}); name another file")
