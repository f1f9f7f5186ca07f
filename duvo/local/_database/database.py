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
from sqlalchemy.exc import DBAPIError, ProgrammingError

from .._forks import kept_from_forks
from ..errors import DatabaseReplaced, EngineError
from . import connections, files, schema
from .files import make_private
from .location import Location
from .lock import locked
from .outage import Outage, is_conflict, is_outage, refuses_changes

T = TypeVar("T")

_RETRY_AFTER = 0.3
"""Seconds between two attempts of a transaction."""

_CONNECTED_AT = "duvo_connected_at"

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
        self._renewed_at = float("-inf")
        with contextlib.ExitStack() as resources:
            if location.file:
                resources.enter_context(kept_from_forks(files.opened_from(location.file)))
                resources.enter_context(locked(location.file))
            else:
                resources.enter_context(kept_from_forks(connections.is_postgresql))
            self.engine = connections.create_pool(location)
            # Made by the pool if it was missing.
            self._file_id = files.identity(location.file) if location.file else None
            resources.callback(self.engine.dispose)
            self._id = schema.prepare(self.engine, location)
            if location.file:
                # Not earlier: before it was read it could be another program's file.
                for suffix in ("", "-wal", "-shm"):
                    make_private(location.file.with_name(location.file.name + suffix))
            connections.on_refusal(self.engine, self._outage.begin)
            sa.event.listen(self.engine, "do_connect", self._connect)
            sa.event.listen(self.engine, "checkout", self._refuse_old)
            self._resources = resources.pop_all()

    @property
    def is_shared(self) -> bool:
        """Whether other servers may use the database at the same time."""
        return self._location.file is None

    def create_unpooled(self) -> sa.Engine:
        """Return an engine of its own connections, outside the pool."""
        engine = connections.create_unpooled(self._location)
        connections.on_refusal(engine, self._renew)
        return engine

    def check(self) -> None:
        """Commit a small write; fails if the database does not accept it, or is another one."""
        with self.engine.begin() as connection:
            self.verify(connection)

    def verify(self, connection: sa.Connection) -> None:
        """Fail if the connection is not to the database that was opened.

        Then every connection is renewed, and nothing is done until the right database is back.
        """
        try:
            is_same = connection.execute(schema.check(self._id)).rowcount == 1
        except ProgrammingError:
            is_same = False  # the tables are missing
        if not is_same:
            self._renew(self._replaced())
            raise self._replaced()

    def refuse_if_replaced(self) -> None:
        """Fail if the SQLite file was removed or replaced since it was opened."""
        file = self._location.file
        if file is not None and files.identity(file) != self._file_id:
            raise self._replaced()

    def _renew(self, error: BaseException) -> None:
        self._outage.begin(error)
        self._renewed_at = time.monotonic()

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
            return work(connection)

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
        if not isinstance(error, DBAPIError):
            return True  # the pool's connections are all in use, or a commit is in progress
        lost = error.connection_invalidated
        return lost or is_outage(error.orig) or is_conflict(error.orig)

    def _connect(self, dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        # Everything that needs a connection waits here, DBOS included: its own retries become
        # ever rarer and cannot be cancelled.
        has_failed = False
        while True:
            record.info[_CONNECTED_AT] = time.monotonic()
            # Another file must not be written to, and this one will not come back.
            self.refuse_if_replaced()
            connection = None
            try:
                connection = dialect.connect(*arguments, **keywords)
                self._check_new(connection, dialect)
            except (dialect.dbapi.Error, DatabaseReplaced) as error:
                if connection is None or has_failed or refuses_changes(error):
                    # Otherwise the database may have ended this connection alone.
                    self._outage.begin(error)
                if connection is not None:
                    connection.close()
                has_failed = True
                if self._is_closed_after(_RETRY_AFTER):
                    # Not a database error, which would be retried.
                    raise EngineClosed from None
            else:
                self._outage.end()
                return connection

    def _refuse_old(self, connection: Any, record: Any, proxy: Any) -> None:
        if record.info.get(_CONNECTED_AT, 0.0) < self._renewed_at:
            raise sa.exc.DisconnectionError("the database's connections are renewed")

    def _check_new(self, connection: Any, dialect: sa.Dialect) -> None:
        if not (self.is_shared or self._outage.is_on):
            return
        check = schema.check(self._id)
        statement = check.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        cursor = connection.cursor()
        cursor.execute(str(statement))
        if cursor.rowcount != 1:
            raise self._replaced()
        connection.commit()

    def _replaced(self) -> DatabaseReplaced:
        return DatabaseReplaced(f"{self._location.shown}: the database was removed or replaced")


def _is_committed(connection: sa.Connection, transaction_id: str) -> bool:
    status = connection.scalar(
        sa.text("SELECT pg_xact_status(CAST(:id AS xid8))"), {"id": transaction_id}
    )
    if status == "in progress":
        # The server may not have noticed yet that the connection is lost: ask again.
        raise sa.exc.TimeoutError("the commit is in progress")
    return bool(status == "committed")
