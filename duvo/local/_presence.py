"""A server's own connection to PostgreSQL: it shows that the server lives, and hears the others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta

import psycopg
import sqlalchemy as sa

from . import _servers
from ._attendance import Attendance
from ._signals import CHANNEL, Signal, call

_BEAT = 0.5
"""Seconds between two signs of life, and between two looks at the others."""

FRESH = 4.0
"""Seconds after the last of them for which this server may rely on not being taken for dead."""

_PAUSE = 0.2


class Presence:
    """Keeps this server among the living, from a thread of its own.

    Args:
        engine: makes the connections; only one is in use at a time.
        heard: called with every signal of another server, in the thread.
        connected: called in the thread when this server is seen by the others (again); signals
            may have been missed.
        disconnected: called in the thread when it may be missed by them.

    Attributes:
        trouble: what last kept it from the database, or "".
    """

    def __init__(
        self,
        engine: sa.Engine,
        heard: Callable[[Signal], None],
        connected: Callable[[], None],
        disconnected: Callable[[], None],
    ):
        self._engine = engine
        self._heard = heard
        self._connected = connected
        self._disconnected = disconnected
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
    def is_fresh(self) -> bool:
        """Whether nobody can have taken this server for dead; once False, until it joins anew."""
        with self._changing:
            if time.monotonic() - self._seen >= FRESH:
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
                _take_for_dead(connection, [self._server_id])
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
                    gone = attendance.look(_servers.connected(connection))
                    # Not who connected again since the look.
                    _take_for_dead(connection, gone, silent_for=timedelta(seconds=_BEAT / 2))
            finally:
                self._disconnected()
                # It listens, and must not be used again.
                connection.invalidate()

    def _beat(self, connection: sa.Connection) -> None:
        server_id, before = self._server_id, time.monotonic()
        if server_id is None or not self.is_fresh:
            return
        alive = _servers.beat(connection, server_id)
        with self._changing:
            if self._server_id == server_id:
                self._server_id, self._seen = (server_id, before) if alive else (None, 0.0)

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
    silent_for: timedelta = timedelta(0),
) -> None:
    if server_ids:
        dead = _servers.take_for_dead(connection, server_ids, silent_for)
        call(connection, [Signal(server_id, left=True) for server_id in dead])
