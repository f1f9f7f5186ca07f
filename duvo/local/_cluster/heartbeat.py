"""A server's own connection to PostgreSQL: it shows that the server lives, and hears the others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta

import psycopg
import sqlalchemy as sa

from . import membership
from .broadcasts import CHANNEL, Signal, call
from .lost_servers import Attendance

_BEAT = 0.5
"""Seconds between two signs of life, and between two looks at the others."""

_SURE = 1.0
"""Seconds after the last of them for which nobody can have taken this server for dead."""

_MISSED_AFTER = timedelta(seconds=1.5)
"""Without one for so long, and without a connection, another server is taken for dead."""

_FRESH = 4.0
"""Seconds after the last of them for which this server need not join anew."""

_PAUSE = 0.2


class Presence:
    """Keeps this server among the living, from a thread of its own.

    Args:
        engine: makes the connections; only one is in use at a time.
        heard: called with every signal of another server, in the thread.
        connected: called in the thread when signals may have been missed.
        beaten: called in the thread after each sign of life.

    Attributes:
        trouble: what last kept it from the database, or "".
    """

    def __init__(
        self,
        engine: sa.Engine,
        heard: Callable[[Signal], None],
        connected: Callable[[], None],
        beaten: Callable[[], None],
    ):
        self._engine = engine
        self._heard = heard
        self._connected = connected
        self._beaten = beaten
        self.trouble = ""
        self._closed = threading.Event()
        self._changing = threading.Lock()
        self._server_id: str | None = None
        self._seen = 0.0
        self._thread = threading.Thread(target=self._run, name="duvo-presence", daemon=True)

    def start(self, server_id: str, since: float) -> None:
        """Keep the server of that id alive, which has joined.

        Args:
            since: the monotonic time before it joined.
        """
        with self._changing:
            self._server_id, self._seen = server_id, since
        if not self._thread.ident:
            self._thread.start()

    @property
    def is_in_touch(self) -> bool:
        """Whether nobody can have taken this server for dead at this moment; from any thread."""
        with self._changing:
            return self._server_id is not None and time.monotonic() - self._seen < _SURE

    @property
    def is_fresh(self) -> bool:
        """Whether this server need not join anew; once False, until it does."""
        with self._changing:
            if time.monotonic() - self._seen >= _FRESH:
                self._server_id = None
            return self._server_id is not None

    def close(self) -> None:
        """Leave, so that the others take over at once; quick also where the database is away."""
        self._closed.set()
        if not self._thread.ident:
            return
        if self._server_id is not None:
            with contextlib.suppress(sa.exc.DBAPIError), self._engine.begin() as connection:
                # It is heard here too, and ends the thread's waiting.
                _take_for_dead(connection, [self._server_id], silent_for=timedelta(0))
        self._thread.join(2 * _BEAT)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._stay()
            except (sa.exc.DBAPIError, psycopg.Error) as error:
                self.trouble = " ".join(str(getattr(error, "orig", error)).split())
            self._closed.wait(_PAUSE)

    def _stay(self) -> None:
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            try:
                connection.exec_driver_sql(f"LISTEN {CHANNEL}")
                self._beat(connection)
                self._connected()
                attendance = Attendance()
                while not self._closed.is_set():
                    self._hear(connection)
                    self._beat(connection)
                    missed = attendance.look(membership.attendance(connection))
                    _take_for_dead(connection, missed, silent_for=_MISSED_AFTER)
            finally:
                # It listens, and must not be used again.
                connection.invalidate()

    def _beat(self, connection: sa.Connection) -> None:
        server_id, before = self._server_id, time.monotonic()
        if server_id is None or not self.is_fresh:
            return
        alive = membership.beat(connection, server_id)
        with self._changing:
            if self._server_id == server_id:
                self._server_id, self._seen = (server_id, before) if alive else (None, 0.0)
        if alive:
            self._beaten()

    def _hear(self, connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        for notice in driver.notifies(timeout=_BEAT):
            signal = Signal.decode(notice.payload)
            if signal is not None and signal.sender != self._server_id:
                self._heard(signal)
            if self._closed.is_set():
                return


def _take_for_dead(
    connection: sa.Connection,
    server_ids: Collection[str],
    silent_for: timedelta,
) -> None:
    if server_ids:
        dead = membership.take_for_dead(connection, server_ids, silent_for)
        call(connection, [Signal(server_id, left=True) for server_id in dead])
