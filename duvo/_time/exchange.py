"""Exchanges with a server that end in time, whatever takes the time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from .._forks import call_in_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self


class Exchange:
    """An exchange with a server, from the call to the end of the response.

    The time-out of a socket is for a single operation. When the time for all of
    them is up, a watcher thread shuts the connection down, and what waits for it fails.

    Args:
        seconds: the time in all; infinity for no limit.

    Attributes:
        is_over: whether the time was up before the end.
        has_begun_to_send: whether a part of the request may have been sent; None if
            that is not known.
    """

    def __init__(self, seconds: float):
        self.ends = time.monotonic() + seconds
        self.is_over = False
        self.has_begun_to_send: bool | None = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._outer: Exchange | None = None

    @property
    def left(self) -> float:
        """The seconds that are left, 0 or more."""
        return max(0.0, self.ends - time.monotonic())

    @property
    def is_limited(self) -> bool:
        """Whether its time is limited."""
        return self.ends < float("inf")

    def use(self, sock: socket.socket) -> None:
        """Use a connection, in place of an earlier one."""
        # A duplicate, since the socket may be closed, or wrapped in TLS, at any moment.
        duplicate = socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._lock:
            self._close()
            self._socket = duplicate
            if self.is_over:
                self._shut_down()

    def end(self) -> None:
        """End the exchange: its time is up."""
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        self._outer = current()
        _of_thread.exchange = self
        if self.is_limited:
            _watcher.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _of_thread.exchange = self._outer
        if self.is_limited:
            _watcher.discard(self)
        with self._lock:
            self._close()


def current() -> Exchange | None:
    """Return the exchange of the calling thread, or None."""
    exchange: Exchange | None = getattr(_of_thread, "exchange", None)
    return exchange


class _Watcher:
    """Ends exchanges whose time is up, in a thread that is begun by the first one."""

    def __init__(self) -> None:
        self._exchanges: set[Exchange] = set()
        # Reentrant, since a signal handler may send a request too.
        self._changed = threading.Condition(threading.RLock())
        self._wakes_at = float("inf")
        self._is_running = False

    def add(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.add(exchange)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="duvo-deadlines", daemon=True).start()
            elif exchange.ends < self._wakes_at:
                self._changed.notify()

    def discard(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.discard(exchange)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                late = [exchange for exchange in self._exchanges if exchange.ends <= now]
                self._exchanges.difference_update(late)
                if not late:
                    self._wakes_at = min(
                        (exchange.ends for exchange in self._exchanges), default=float("inf")
                    )
                    seconds = min(self._wakes_at - now, threading.TIMEOUT_MAX)
                    self._changed.wait(seconds)
            for exchange in late:
                exchange.end()


@call_in_child
def _begin_again() -> None:
    # A forked process has neither the thread nor the requests of others.
    global _watcher
    _watcher = _Watcher()


_of_thread = threading.local()
_watcher = _Watcher()
