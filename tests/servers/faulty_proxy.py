"""An HTTP proxy in front of an engine that injects faults, chosen by a seed."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from tests.faults.exchange import Event, Exchange, Hangup, Request, read_request
from tests.faults.handlers import HANDLERS
from tests.faults.schedule import Fault, Link, Schedule

_HIDDEN_WITHOUT_KEYS = ("duvo-idempotency",)
_HIDDEN_WITHOUT_HOLDING = ("duvo-long-poll", "duvo-created-since")


class FaultyProxy:
    """Stands between a client and an engine.

    Attributes:
        base_url: the client's base URL.
        events: what happened to each request, in order.
    """

    def __init__(self, engine_url: str, schedule: Schedule, link: Link):
        parts = urlsplit(engine_url)
        self._engine = (parts.hostname or "", parts.port or 80)
        self._schedule = schedule
        self._link = link
        self._change = threading.Lock()
        self._open_connections: set[socket.socket] = set()
        # Bound but not listening: keeps the port while connections are refused.
        self._reserved = _bound(0)
        self._port = self._reserved.getsockname()[1]
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._refusals = schedule.refusals
        self._reset_next = False
        self._has_answered = False
        self._asking = 0
        self._asked = threading.Condition()
        self.base_url = f"http://127.0.0.1:{self._port}"
        self.events: list[Event] = []
        if not self._refusals:
            self.open()

    def rest(self) -> None:
        """Called when the client sleeps: finish requests, or stop refusing connections."""
        self.settle()
        self.open()

    def settle(self) -> None:
        """Wait until the engine has responded to everything."""
        with self._asked:
            self._asked.wait_for(lambda: self._asking == 0, 20)

    @contextmanager
    def _carrying_out(self) -> Iterator[None]:
        with self._asked:
            self._asking += 1
        try:
            yield
        finally:
            with self._asked:
                self._asking -= 1
                self._asked.notify_all()

    @contextmanager
    def _sending(self, request: Request, near: socket.socket) -> Iterator[None]:
        with self._carrying_out():
            # Only now: a change that `settle` does not see yet must find that the client,
            # which had left before it called that, has left.
            if request.changes and _has_left(near):
                raise Hangup
            yield

    def open(self) -> None:
        """Accept connections again, once enough were refused."""
        with self._change:
            self._refusals -= 1
            if self._refusals > 0 or self._listener is not None:
                return
            if self._accepting is not None:
                self._accepting.join()  # it holds the port
            self._listener = _bound(self._port)
            self._listener.listen(64)
            self._accepting = threading.Thread(
                target=self._accept, args=(self._listener,), daemon=True
            )
            self._accepting.start()

    def _refuse(self, sleeps: int) -> None:
        with self._change:
            listener, self._listener = self._listener, None
            self._refusals = sleeps
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def close(self) -> None:
        """Close the proxy and all connections."""
        self._refuse(0)
        self._reserved.close()
        with self._change:
            connections = list(self._open_connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                if self._reset_next:
                    self._reset_next = False
                    _close(near, reset=True)
                else:
                    threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = http.client.HTTPConnection(*self._engine, timeout=60)
        reset = False
        with self._change:
            self._open_connections.add(near)
        try:
            with near.makefile("rb") as stream:
                while (request := read_request(stream)) is not None:
                    self._handle(request, near, far)
        except Hangup as hangup:
            reset = hangup.reset
        except (OSError, http.client.HTTPException):
            pass  # the client has gone, or this proxy is closed
        finally:
            far.close()
            with self._change:
                self._open_connections.discard(near)
            _close(near, reset)

    def _handle(
        self, request: Request, near: socket.socket, far: http.client.HTTPConnection
    ) -> None:
        fault, chance = self._schedule.next(
            request.kind, pages=request.kind == "messages", begins=request.offset == 0
        )
        if fault is Fault.HTML and not self._has_answered:
            # Without any JSON before, a page of HTML means a wrong address.
            fault = Fault.BROKEN
        event = Event(request, fault)
        self.events.append(event)
        if not self._link.honours_keys:
            request.headers.pop("idempotency-key", None)
        if "limit" in request.query:
            limit = min(self._link.page, int(request.query["limit"]))
            request.query["limit"] = str(limit)
        sending = partial(self._sending, request, near)
        exchange = Exchange(
            request, event, near, far, chance, self._hidden(), self._link.talks, sending
        )
        if fault in (Fault.REFUSED, Fault.RESET):
            exchange.closes = True
            reply = exchange.ask()
            if fault is Fault.REFUSED:
                self._refuse(chance.choice((1, 1, 2, 3)))
            else:
                self._reset_next = True
            exchange.answer(reply)
            raise Hangup
        HANDLERS[fault](exchange)
        self._has_answered |= fault is Fault.PASS

    def _hidden(self) -> tuple[str, ...]:
        hidden = () if self._link.honours_keys else _HIDDEN_WITHOUT_KEYS
        return hidden if self._link.holds else (*hidden, *_HIDDEN_WITHOUT_HOLDING)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _has_left(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _close(connection: socket.socket, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def faulty(engine_url: str, seed: int, may_shift: bool) -> Iterator[FaultyProxy]:
    """Run a proxy with the faults of a seed for the length of a block."""
    link = Link(seed)
    proxy = FaultyProxy(engine_url, Schedule(seed, link, may_shift), link)
    try:
        yield proxy
    finally:
        proxy.close()
