"""The database: opened, locked, and used in transactions that outlast an outage."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from ..errors import EngineError
from . import connections, schema
from .location import Location
from .lock import FileLock
from .outage import Outage
from .private_files import make_private

T = TypeVar("T")

_RETRY_AFTER = 0.3
"""Seconds between two attempts of a transaction."""

_SHORT_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '100ms'"


class EngineClosed(EngineError):
    """The engine is closing and no longer waits for the database."""


class Database:
    """The engine's database; `engine` is its connection pool, which DBOS uses too."""

    def __init__(self, location: Location):
        self._closed = threading.Event()
        self._location = location
        self._outage = Outage()
        with contextlib.ExitStack() as resources:
            if location.file:
                resources.callback(FileLock(location.file).release)
            self.engine = connections.create_pool(location)
            resources.callback(self.engine.dispose)
            schema.prepare(self.engine, location)
            if location.file:
                # Not earlier: before it was read it could be another program's file.
                for suffix in ("", "-wal", "-shm"):
                    make_private(location.file.with_name(location.file.name + suffix))
            else:
                sa.event.listen(self.engine, "do_connect", self._connect)
            self._resources = resources.pop_all()

    @property
    def is_shared(self) -> bool:
        """Whether other servers may use the database at the same time."""
        return self._location.file is None

    def create_unpooled(self) -> sa.Engine:
        """Return an engine of its own connections, outside the pool."""
        return connections.create_unpooled(self._location)

    def transact(self, work: Callable[[sa.Connection], T], *, once: bool = False) -> T:
        """Do the work in one transaction; repeat it if the database was unavailable.

        Args:
            work: must be harmless when repeated, unless `once`.
            once: never repeat the work of a commit that went through although
                its confirmation was lost.
        """
        check_commit = once and self.is_shared
        while True:
            committing: list[tuple[str, T]] = []
            try:
                with self.engine.begin() as connection:
                    result = work(connection)
                    if check_commit:
                        committing.append((str(connection.scalar(_TRANSACTION_ID)), result))
                self._outage.end()
                return result
            except (DBAPIError, sa.exc.TimeoutError) as error:
                if not self._is_temporary(error):
                    raise
                if self._is_closed_after(_RETRY_AFTER):
                    raise EngineClosed from None
            for transaction_id, result in committing:
                if self.transact(functools.partial(_is_committed, transaction_id=transaction_id)):
                    return result

    def attempt(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in one transaction; fail soon if a row of it stays locked."""
        with self.engine.begin() as connection:
            if self.is_shared:
                connection.exec_driver_sql(_SHORT_LOCK_TIMEOUT)
            result = work(connection)
        self._outage.end()
        return result

    def close(self) -> None:
        """Close every connection and release the database to the next engine."""
        self.stop_waiting()
        self._resources.close()

    def stop_waiting(self) -> None:
        """Wait no longer for a database that does not answer."""
        self._closed.set()

    def _is_closed_after(self, seconds: float) -> bool:
        return self._closed.wait(seconds) or _interpreter_is_exiting()

    def _is_temporary(self, error: Exception) -> bool:
        if not self.is_shared:
            return isinstance(error, OperationalError) and "locked" in str(error.orig)
        # A lost connection is reported in several ways.
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return lost or isinstance(error, (OperationalError, sa.exc.TimeoutError))

    def _connect(self, dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        # Everything that needs a connection waits here, DBOS included: its own retries become
        # ever rarer and cannot be cancelled.
        while True:
            try:
                connection = dialect.connect(*arguments, **keywords)
            except dialect.dbapi.OperationalError as error:
                self._outage.begin(error)
                if self._is_closed_after(_RETRY_AFTER):
                    # Not a database error, which would be retried.
                    raise EngineClosed from None
            else:
                self._outage.end()
                return connection


def _interpreter_is_exiting() -> bool:
    # It waits for the threads of pools, so they must stop waiting for the database.
    try:
        _probe.submit(int)
    except RuntimeError:
        return True
    return False


_probe = ThreadPoolExecutor(1, thread_name_prefix="duvo-probe")

_TRANSACTION_ID = sa.text("SELECT pg_current_xact_id()")


def _is_committed(connection: sa.Connection, transaction_id: str) -> bool:
    status = connection.scalar(
        sa.text("SELECT pg_xact_status(CAST(:id AS xid8))"), {"id": transaction_id}
    )
    if status == "in progress":
        # The server may not have noticed yet that the connection is lost: ask again.
        raise OperationalError("pg_xact_status", {}, Exception("the commit is in progress"))
    return bool(status == "committed")
