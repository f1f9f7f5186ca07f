"""Connections to SQLite and PostgreSQL: pools and their settings."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from .._text import os_reason
from ..errors import DatabaseDamaged, EngineError
from .files import create_private
from .location import Location
from .outage import is_outage, refuses_changes

_POOL_SIZE = 16

_postgresql: weakref.WeakSet[Any] = weakref.WeakSet()
"""The connections to PostgreSQL of this process."""

_KEEPALIVE = {
    "connect_timeout": 10,
    # By default a connection to a machine that vanished would wait for hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def create_pool(location: Location) -> sa.Engine:
    """Return a pool of connections to the database."""
    return _sqlite_pool(location) if location.file else _postgresql_pool(location)


def on_refusal(engine: sa.Engine, report: Callable[[BaseException], None]) -> None:
    """Report each refusal of changes, and renew the pool's connections after an outage."""

    @sa.event.listens_for(engine, "handle_error")
    def handle(context: sa.engine.ExceptionContext) -> None:
        error = context.original_exception
        if is_outage(error):
            # After a failover, a connection to the old server would stay there for ever.
            context.is_disconnect = True
        if refuses_changes(error):
            report(error)


def create_unpooled(location: Location) -> sa.Engine:
    """Return an engine that opens a new PostgreSQL connection each time, with a short timeout."""
    arguments = _connect_args(location, connect_timeout=2)
    engine = sa.create_engine(location.url, connect_args=arguments, poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _add)
    return engine


def is_postgresql(descriptor: int) -> bool:
    """Whether the descriptor is of a connection to PostgreSQL."""
    return any(not opened.closed and opened.fileno() == descriptor for opened in _postgresql)


def _add(connection: Any, record: Any) -> None:
    _postgresql.add(connection)


def _postgresql_pool(location: Location) -> sa.Engine:
    engine = sa.create_engine(
        location.url,
        connect_args=_connect_args(location),
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
    )
    sa.event.listen(engine, "connect", _add)

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        # A server that freezes inside a transaction must not keep a run's row locked.
        connection.execute("SET idle_in_transaction_session_timeout = '5s'")
        connection.commit()

    return engine


def _connect_args(location: Location, **changes: Any) -> dict[str, Any]:
    query = location.url.query
    return {name: query.get(name, value) for name, value in (_KEEPALIVE | changes).items()}


def _sqlite_pool(location: Location) -> sa.Engine:
    assert location.file is not None
    if sqlite3.sqlite_version_info < (3, 35):
        raise EngineError(
            f"the engine needs SQLite 3.35 or newer, this Python has {sqlite3.sqlite_version}; "
            f"use another Python, or a PostgreSQL database"
        )
    try:
        # SQLite gives its side files the mode of this one.
        create_private(location.file)
    except OSError as error:
        reason = os_reason(error)
        raise DatabaseDamaged(f"{location.file}: cannot be written ({reason})") from None
    engine = sa.create_engine(
        location.url,
        poolclass=sa.QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        # A transaction that reads before it writes would fail if another wrote in between.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if sqlite3.sqlite_version_info < (3, 42):
            connection.create_function("unixepoch", 1, _unixepoch)

    _serialize_writes(engine)
    return engine


def _serialize_writes(engine: sa.Engine) -> None:
    # SQLite itself retries after pauses that are longer than a write takes.
    writing = threading.Lock()

    @sa.event.listens_for(engine, "before_cursor_execute")
    def begin(connection: sa.Connection, cursor: Any, statement: str, *rest: Any) -> None:
        writes = statement.startswith(("INSERT", "UPDATE", "DELETE"))
        if writes and "duvo_writes" not in connection.info:
            writing.acquire()
            connection.info["duvo_writes"] = True

    @sa.event.listens_for(engine, "checkin")
    def end(connection: Any, record: Any) -> None:
        if record.info.pop("duvo_writes", None):
            writing.release()


def _unixepoch(modifier: str) -> float:
    # From Python 3.12 on DBOS assumes that SQLite knows 'subsec'. An older SQLite returns NULL,
    # which no table of DBOS accepts.
    if modifier != "subsec":
        raise ValueError(modifier)
    return round(time.time(), 3)
