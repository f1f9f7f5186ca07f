"""The database: opened, locked, and used in transactions that outlast an outage."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from .._text import logger, one_line
from ..errors import EngineError
from . import connections, schema
from .files import make_private
from .location import Location
from .lock import locked

T = TypeVar("T")

_RETRY_AFTER = 0.3
"""Seconds between two attempts of a transaction."""

_SETTLING = 1.0
"""Seconds after the end of an outage in which failures still belong to it."""

_probe = ThreadPoolExecutor(1, thread_name_prefix="duvo-probe")
"""Refuses work once the interpreter is exiting, which waits for the threads of pools."""


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
                resources.enter_context(locked(location.file))
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

        It must be harmless when repeated, unless `once`: then it is not repeated
        after a commit that went through although its confirmation was lost.
        """
        while True:
            transaction_id = ""
            try:
                with self.engine.begin() as connection:
                    result = work(connection)
                    if once and self.is_shared:
                        transaction_id = str(connection.scalar(sa.func.pg_current_xact_id()))
                self._outage.end()
                return result
            except (DBAPIError, sa.exc.TimeoutError) as error:
                if not self._is_temporary(error):
                    raise
                if self._is_closed_after(_RETRY_AFTER):
                    raise EngineClosed from None
            is_committed = functools.partial(_is_committed, transaction_id=transaction_id)
            if transaction_id and self.transact(is_committed):
                return result

    def attempt(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in one transaction; fail soon if a row of it stays locked."""
        with self.engine.begin() as connection:
            if self.is_shared:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
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
        is_closed = self._closed.wait(seconds)
        try:
            _probe.submit(int)
        except RuntimeError:
            return True
        return is_closed

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


class Outage:
    """An outage of the database: reported by many threads, logged once."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._ended = float("-inf")
        self._lock = threading.Lock()

    def begin(self, error: Exception) -> None:
        with self._lock:
            if self._since is not None or time.monotonic() - self._ended < _SETTLING:
                return
            self._since = time.monotonic()
        logger.warning("the database does not answer; waiting for it: %s", one_line(error))

    def end(self) -> None:
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            seconds = time.monotonic() - self._since
            self._since, self._ended = None, time.monotonic()
        logger.warning("the database answers again, after %.1f s", seconds)


def _is_committed(connection: sa.Connection, transaction_id: str) -> bool:
    status = connection.scalar(
        sa.text("SELECT pg_xact_status(CAST(:id AS xid8))"), {"id": transaction_id}
    )
    if status == "in progress":
        # The server may not have noticed yet that the connection is lost: ask again.
        raise OperationalError("pg_xact_status", {}, Exception("the commit is in progress"))
    return bool(status == "committed")
