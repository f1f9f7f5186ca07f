"""A server that numbers its responses, and fails at any place of an exchange."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.exchange import Request, read_request


class Hangup(Exception):
    """Raised to close the connection, with RST or without."""

    def __init__(self, reset: bool):
        self.reset = reset


class Call:
    """One request at the server, and what it does with it."""

    def __init__(self, server: WireServer, request: Request, connection: socket.socket):
        self.server = server
        self.request = request
        self.chance = server.chance
        self._connection = connection

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._connection.sendall(piece)

    def response(self, number: str | None = None, status: int = 200, more: bytes = b"") -> bytes:
        """Return the response to this request, or to another, after carrying it out."""
        number = number or self.request.query["n"]
        if number == self.request.query["n"]:
            self.carry_out()
        body = json.dumps({"n": number}).encode()
        head = (
            f"HTTP/1.1 {status} {http.client.responses[status]}\r\n"
            f"Content-Type: application/json\r\nX-Request-Id: {number}\r\n"
        ).encode()
        if status == 204 or self.request.method == "HEAD":
            return head + b"\r\n" + more
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body + more

    def carry_out(self) -> None:
        self.server.carried_out[self.request.query["n"]] += 1

    def hang_up(self) -> None:
        raise Hangup(reset=self.chance.random() < 0.5)


def passed(call: Call) -> None:
    call.send(call.response())


def interim(call: Call) -> None:
    heads = [
        b"HTTP/1.1 %d Interim\r\nLink: </x>; rel=preload\r\n\r\n" % status
        for status in call.chance.choices((102, 103), k=call.chance.randint(1, 3))
    ]
    pieces = [*heads, call.response()]
    if call.chance.random() < 0.5:
        call.send(*pieces)
    else:
        call.send(b"".join(pieces))


def switched(call: Call) -> None:
    call.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", call.response())


def twice(call: Call) -> None:
    other = call.response("stray", status=call.chance.choice((200, 400)))
    if call.chance.random() < 0.5:
        call.send(call.response(more=other))
    else:
        call.send(call.response(), other)


def too_much(call: Call) -> None:
    status = call.chance.choice((200, 204))
    call.send(call.response(status=status, more=call.chance.choice((b"{}", b"\r\n", b"HTTP/1"))))


def dripped_head(call: Call) -> None:
    head, end, body = call.response().partition(b"\r\n\r\n")
    call.send(*(bytes([byte]) for byte in head), end + body)


def reset_in_request(call: Call) -> None:
    raise Hangup(reset=True)


def lost_before_response(call: Call) -> None:
    if call.chance.random() < 0.5:
        call.carry_out()
    call.hang_up()


def cut_in_head(call: Call) -> None:
    head, _, _ = call.response().partition(b"\r\n\r\n")
    call.send(head[: call.chance.randrange(1, len(head))])
    call.hang_up()


def cut_in_body(call: Call) -> None:
    head, end, body = call.response().partition(b"\r\n\r\n")
    call.send(head + end + body[: call.chance.randrange(len(body) or 1)])
    call.hang_up()


def closed_when_idle(call: Call) -> None:
    call.send(call.response())
    call.hang_up()


def forgotten_when_idle(call: Call) -> None:
    call.send(call.response())
    call.server.forgets = True


def next_connection_reset(call: Call) -> None:
    call.server.resets_next = True
    call.send(call.response())
    call.hang_up()


FAULTS: tuple[Callable[[Call], None], ...] = (
    passed,
    interim,
    switched,
    twice,
    too_much,
    dripped_head,
    reset_in_request,
    lost_before_response,
    cut_in_head,
    cut_in_body,
    closed_when_idle,
    forgotten_when_idle,
    next_connection_reset,
)


class WireServer:
    """Answers requests with `?n=NUMBER`, one client at a time.

    Attributes:
        base_url: where it is.
        choose: chooses what happens to a request.
        seen: how often each number arrived; `carried_out`: how often it was carried out.
        last_fault: what happened to the last request.
        connections: number of connections that were accepted; `resets`: reset at once.
        forgets: the next request resets its connection.
        resets_next: the next connection is reset at once.
    """

    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        self.choose: Callable[[Request], Callable[[Call], None]] = lambda request: passed
        self.seen: Counter[str] = Counter()
        self.carried_out: Counter[str] = Counter()
        self.connections = 0
        self.resets = 0
        self.last_fault = passed
        self.forgets = False
        self.resets_next = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._working = 0
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def settle(self) -> None:
        """Wait until everything that belongs to the requests so far was sent."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._working == 0, 20)

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                if self.resets_next:
                    self.resets_next = False
                    self.resets += 1
                    _close(connection, reset=True)
                    continue
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reset = False
        try:
            with connection.makefile("rb") as stream:
                while (request := read_request(stream)) is not None:
                    with self._work():
                        try:
                            self._answer(request, connection)
                        except Hangup as hangup:
                            stream.close()  # it would keep the connection open
                            _close(connection, hangup.reset)
                            return
        except (OSError, ValueError):
            reset = True
        _close(connection, reset)

    def _answer(self, request: Request, connection: socket.socket) -> None:
        self.seen[request.query["n"]] += 1
        if self.forgets:
            self.forgets = False
            raise Hangup(reset=True)
        self.last_fault = self.choose(request)
        self.last_fault(Call(self, request, connection))

    @contextmanager
    def _work(self) -> Iterator[None]:
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _close(connection: socket.socket, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def wire_server(seed: int = 0) -> Iterator[WireServer]:
    """Run the server for the length of a block."""
    server = WireServer(seed)
    thread = threading.Thread(target=server.accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
