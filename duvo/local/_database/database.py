"""The database: opened, checked, and asked in transactions."""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from ..errors import DatabaseDamaged, DatabaseLocked, EngineError
from . import schema
from .location import Location
from .lock import FileLock
from .outage import Outage
from .private_files import create_private, make_private

T = TypeVar("T")

_PAUSE = 0.3
"""Seconds between two tries of a transaction that the database could not take."""

_PATIENCE = "SET LOCAL lock_timeout = '100ms'"
"""For how long an attempt waits for a locked row; a change of somebody else's takes less."""

_LIVELINESS = {
    "connect_timeout": 10,
    # A machine that is gone says nothing; without these it is waited for for hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class GivenUp(EngineError):
    """The engine closes, and the database is away."""


class Store:
    """One database, held by this engine.

    Attributes:
        engine: the pool of connections; the execution of turns uses it too.
        outage: tells when the database does not answer.
    """

    def __init__(self, location: Location):
        self._closed = threading.Event()
        self._lock = FileLock(location.file) if location.file else None
        self._location = location
        self.outage = Outage()
        try:
            self.engine = _open(location)
            try:
                _prepare(self.engine, location)
                if location.file:
                    # Only now: before it was read, it may have been another program's.
                    for end in ("", "-wal", "-shm"):
                        make_private(location.file.with_name(location.file.name + end))
                else:
                    sa.event.listen(self.engine, "do_connect", self._connect)
            except BaseException:
                self.engine.dispose()
                raise
        except BaseException:
            if self._lock:
                self._lock.release()
            raise

    @property
    def is_shared(self) -> bool:
        """Whether other servers may use the database at the same time."""
        return self._location.file is None

    def separate_engine(self) -> sa.Engine:
        """An engine whose connections belong to no pool, and are given up soon."""
        url = self._location.url
        return sa.create_engine(
            url, connect_args=_connect_args(url, connect_timeout=2), poolclass=sa.NullPool
        )

    def transact(self, work: Callable[[sa.Connection], T], *, once: bool = False) -> T:
        """Do the work in one transaction, and again when the database was away.

        Work that may be repeated must be harmless when repeated, unless `once`
        says that it must not be: then it is first asked whether a commit whose
        answer was lost has come about.
        """
        asks = once and self.is_shared
        while True:
            committing: list[tuple[str, T]] = []
            try:
                with self.engine.begin() as connection:
                    result = work(connection)
                    if asks:
                        committing.append((str(connection.scalar(_OWN_NUMBER)), result))
                self.outage.over()
                return result
            except (DBAPIError, sa.exc.TimeoutError) as error:
                if not self._passes(error):
                    raise
                if self._is_given_up(_PAUSE):
                    raise GivenUp from None
            for number, result in committing:
                if self.transact(functools.partial(_has_come_about, number=number)):
                    return result

    def attempt(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in one transaction, or fail where a row of it is locked for long."""
        with self.engine.begin() as connection:
            if self.is_shared:
                connection.exec_driver_sql(_PATIENCE)
            result = work(connection)
        self.outage.over()
        return result

    def close(self) -> None:
        """Close every connection, and let the next engine in."""
        self.give_up()
        self.engine.dispose()
        if self._lock:
            self._lock.release()

    def give_up(self) -> None:
        """Wait no longer for a database that is away."""
        self._closed.set()

    def _is_given_up(self, seconds: float) -> bool:
        return self._closed.wait(seconds) or _interpreter_ends()

    def _passes(self, error: Exception) -> bool:
        if not self.is_shared:
            return isinstance(error, OperationalError) and "locked" in str(error.orig)
        # A connection that was cut off is told in several ways.
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return lost or isinstance(error, (OperationalError, sa.exc.TimeoutError))

    def _connect(self, dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        # Who needs a connection waits here until there is one, also the execution of turns:
        # left to itself it tries more and more seldom, and cannot be called off.
        while True:
            try:
                connection = dialect.connect(*arguments, **keywords)
            except dialect.dbapi.OperationalError as error:
                self.outage.begin(error)
                if self._is_given_up(_PAUSE):
                    # Of a kind that nobody tries again.
                    raise GivenUp from None
            else:
                self.outage.over()
                return connection


def _interpreter_ends() -> bool:
    # It waits for the threads of pools before anybody can tell them to give up.
    try:
        _probe.submit(int)
    except RuntimeError:
        return True
    return False


_probe = ThreadPoolExecutor(1, thread_name_prefix="duvo-probe")

_OWN_NUMBER = sa.text("SELECT pg_current_xact_id()")


def _has_come_about(connection: sa.Connection, number: str) -> bool:
    # One whose connection was cut may go on for a moment: nothing is decided until it is.
    status = connection.scalar(
        sa.text("SELECT pg_xact_status(CAST(:number AS xid8))"), {"number": number}
    )
    if status == "in progress":
        raise OperationalError("pg_xact_status", {}, Exception("the commit is under way"))
    return bool(status == "committed")


def _connect_args(url: sa.URL, **changes: Any) -> dict[str, Any]:
    return {name: url.query.get(name, value) for name, value in (_LIVELINESS | changes).items()}


def _open(location: Location) -> sa.Engine:
    if location.file is None:
        return _on_server(location)
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

    _write_one_after_the_other(engine)
    return engine


def _on_server(location: Location) -> sa.Engine:
    engine = sa.create_engine(
        location.url,
        connect_args=_connect_args(location.url),
        pool_size=16,
        max_overflow=0,
        pool_pre_ping=True,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # A server that freezes in the middle of a transaction must not keep a run's row locked.
        connection.execute("SET idle_in_transaction_session_timeout = '5s'")
        connection.commit()

    return engine


def _write_one_after_the_other(engine: sa.Engine) -> None:
    # Left to itself, SQLite tries again after pauses that are longer than the writing.
    writing = threading.Lock()

    @sa.event.listens_for(engine, "before_cursor_execute")
    def begin(connection: sa.Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if "duvo_writes" not in connection.info and statement.startswith(_WRITES):
            writing.acquire()
            connection.info["duvo_writes"] = True

    @sa.event.listens_for(engine, "checkin")
    def end(connection: Any, record: Any) -> None:
        if record.info.pop("duvo_writes", None):
            writing.release()


_WRITES = ("INSERT", "UPDATE", "DELETE")


def _unixepoch(modifier: str) -> float:
    # DBOS takes every Python from 3.12 on to have a SQLite that knows 'subsec'; where the
    # system's is older, the built-in gives NULL, and no table of DBOS takes a row.
    if modifier != "subsec":
        raise ValueError(modifier)
    return round(time.time(), 3)


_PREPARING = 7_411
"""What the lock on the making of the tables is called."""


def _prepare(engine: sa.Engine, location: Location) -> None:
    try:
        with engine.begin() as connection:
            if location.file is None:
                # Two servers that start at once would both make the tables.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PREPARING)))
            present = set(sa.inspect(connection).get_table_names())
            if location.file and present and schema.meta.name not in present:
                raise DatabaseDamaged(
                    f"{location.shown}: a database of another program; name another file"
                )
            schema.metadata.create_all(connection)
            version = connection.scalar(sa.select(schema.meta.c.version))
            if version is None:
                connection.execute(schema.meta.insert().values(version=schema.VERSION))
            elif version != schema.VERSION:
                raise DatabaseDamaged(
                    f"{location.shown}: of version {version}, this duvo knows {schema.VERSION}; "
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
