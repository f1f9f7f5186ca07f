"""A server's own PostgreSQL connection: it sends heartbeats and hears the other servers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

import psycopg
import sqlalchemy as sa

from .._text import one_line
from ..errors import DatabaseReplaced
from . import membership
from .broadcasts import CHANNEL, Broadcast, send

_INTERVAL = 0.5
"""Seconds between two heartbeats, and between two checks of the other servers."""

_LEASE = 1.0
"""Seconds after a heartbeat for which no other server can have marked this one dead."""

_LOST_AFTER = timedelta(seconds=1.5)
"""A server without connection and heartbeat for this long is marked dead."""

_REJOIN_AFTER = 4.0
"""Seconds after a heartbeat after which this server must join again."""

_RECONNECT_AFTER = 0.2
"""Seconds before a lost connection is opened again."""


def find_lost(seen: set[str], living: Mapping[str, bool]) -> set[str]:
    """Return the living servers that were seen connected and are not any more; update `seen`."""
    # Others may be about to connect, as all are after the database restarted.
    connected = {server_id for server_id, is_connected in living.items() if is_connected}
    lost = (seen & living.keys()) - connected
    seen.clear()
    seen |= connected | lost
    return lost


class Heartbeat:
    """Keeps this server alive in the cluster, in a thread of its own.

    In that thread it calls `verify` with a connection, to fail if the database was
    replaced, `on_broadcast` with every broadcast of another server, `on_connect`
    when broadcasts may have been missed, and `on_beat` after each heartbeat.
    `last_error` is why the database was last unavailable, or "".
    """

    def __init__(
        self,
        engine: sa.Engine,
        verify: Callable[[sa.Connection], None],
        on_broadcast: Callable[[Broadcast], None],
        on_connect: Callable[[], None],
        on_beat: Callable[[], None],
    ):
        self._engine = engine
        self._verify = verify
        self._on_broadcast = on_broadcast
        self._on_connect = on_connect
        self._on_beat = on_beat
        self.last_error = ""
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._server_id: str | None = None
        self._last_beat = 0.0
        self._thread = threading.Thread(target=self._run, name="duvo-heartbeat", daemon=True)

    def start(self, server_id: str, joined_at: float) -> None:
        """Send heartbeats as the server that joined just after that monotonic time."""
        with self._lock:
            self._server_id, self._last_beat = server_id, joined_at
        if not self._thread.ident:
            self._thread.start()

    @property
    def has_lease(self) -> bool:
        """Whether no other server can have marked this one dead yet; from any thread."""
        with self._lock:
            return self._server_id is not None and time.monotonic() - self._last_beat < _LEASE

    @property
    def is_member(self) -> bool:
        """Whether this server need not join again; once False, until it has joined."""
        with self._lock:
            if time.monotonic() - self._last_beat >= _REJOIN_AFTER:
                self._server_id = None
            return self._server_id is not None

    def close(self) -> None:
        """Leave the cluster, so that the others take over at once; quick during an outage too."""
        self._closed.set()
        if not self._thread.ident:
            return
        if self._server_id is not None:
            with contextlib.suppress(sa.exc.DBAPIError), self._engine.begin() as connection:
                # The broadcast arrives here too, and wakes the thread.
                _mark_dead(connection, [self._server_id], silent_for=timedelta(0))
        self._thread.join(2 * _INTERVAL)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._stay_connected()
            except (sa.exc.DBAPIError, psycopg.Error, DatabaseReplaced) as error:
                self.last_error = one_line(error)
            self._closed.wait(_RECONNECT_AFTER)

    def _stay_connected(self) -> None:
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            try:
                connection.exec_driver_sql(f"LISTEN {CHANNEL}")
                self._verify(connection)
                self._beat(connection)
                self._on_connect()
                seen: set[str] = set()
                while not self._closed.is_set():
                    self._hear(connection)
                    self._beat(connection)
                    lost = find_lost(seen, membership.connected(connection))
                    _mark_dead(connection, lost, silent_for=_LOST_AFTER)
            finally:
                # It listens, and must not be used again.
                connection.invalidate()

    def _beat(self, connection: sa.Connection) -> None:
        server_id, before = self._server_id, time.monotonic()
        if server_id is None or not self.is_member:
            return
        is_alive = membership.beat(connection, server_id)
        if not is_alive:
            self._verify(connection)
        with self._lock:
            if self._server_id == server_id:
                self._server_id, self._last_beat = (server_id, before) if is_alive else (None, 0.0)
        if is_alive:
            self._on_beat()

    def _hear(self, connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        for notice in driver.notifies(timeout=_INTERVAL):
            broadcast = Broadcast.decode(notice.payload)
            if broadcast is not None and broadcast.sender != self._server_id:
                self._on_broadcast(broadcast)
            if self._closed.is_set():
                return


def _mark_dead(
    connection: sa.Connection, server_ids: Collection[str], silent_for: timedelta
) -> None:
    if server_ids:
        for server_id in membership.mark_dead(connection, server_ids, silent_for):
            send(connection, Broadcast(server_id, left=True))
