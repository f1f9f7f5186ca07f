"""One request at the faulty proxy, and the ways to respond to it."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.faults.schedule import Fault

_HOP = ("connection", "content-length", "transfer-encoding", "host", "keep-alive")
_KINDS = (
    ("POST", r"/v2/teams/[^/]+/runs", "start"),
    ("GET", r"/v2/teams/[^/]+/runs", "list"),
    ("GET", r"/v2/runs/[^/]+", "run"),
    ("GET", r"/v2/runs/[^/]+/messages", "messages"),
    ("POST", r"/v2/runs/[^/]+/messages", "post"),
    ("POST", r"/v2/runs/[^/]+/human-requests/[^/]+/respond", "respond"),
    ("POST", r"/v2/runs/[^/]+/stop", "stop"),
)


_INTERIM = (
    b"HTTP/1.1 102 Processing\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\ncontent-length: 3\r\n\r\n"
)


class Hangup(Exception):
    """Raised to close the connection to the client.

    Args:
        reset: with RST, which the client notices at once.
    """

    def __init__(self, reset: bool = False):
        self.reset = reset


class Request:
    """One request of the client."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes):
        parts = urlsplit(target)
        self.method = method
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query))
        self.headers = headers
        self.body = body
        self.kind = "other"
        for of, pattern, kind in _KINDS:
            if method == of and re.fullmatch(pattern, self.path):
                self.kind = kind

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    @property
    def offset(self) -> int:
        return int(self.query.get("offset", 0))

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


class Reply:
    """A response of the engine with its whole body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
        self.status = status
        self.headers = headers
        self.body = body


class Event:
    """What happened to one request."""

    def __init__(self, request: Request, fault: Fault):
        self.method = request.method
        self.path = request.path
        self.kind = request.kind
        self.key = request.headers.get("idempotency-key")
        self.fault = fault
        self.status: int | None = None
        """The engine's status, or None if it did not get the request."""

    def __str__(self) -> str:
        engine = "not carried out" if self.status is None else f"the engine: {self.status}"
        return f"{self.method} {self.path}: {self.fault.value} ({engine})"


class Exchange:
    """One request, and the ways to respond to it."""

    def __init__(
        self,
        request: Request,
        event: Event,
        near: socket.socket,
        far: http.client.HTTPConnection,
        chance: random.Random,
        hidden: tuple[str, ...],
        talks: bool,
        carrying_out: Callable[[], AbstractContextManager[None]],
    ):
        self.request = request
        self.event = event
        self.near = near
        self.chance = chance
        self.closes = False
        self._far = far
        self._hidden = hidden
        self._talks = talks
        self._carrying_out = carrying_out

    def send(self) -> http.client.HTTPResponse:
        """Send the request to the engine."""
        headers = {name: value for name, value in self.request.headers.items() if name not in _HOP}
        host, port = self._far.host, self._far.port
        headers["host"] = f"{host}:{port}"
        with self._carrying_out():
            self._far.request(self.request.method, self.request.target, self.request.body, headers)
            response = self._far.getresponse()
            self.event.status = response.status
        return response

    def ask(self, **query: str) -> Reply:
        """Return the engine's response to this request, or to one with another query, unheld."""
        self.request.query.pop("wait", None)
        self.request.query.update(query)
        response = self.send()
        return Reply(response.status, response.getheaders(), response.read())

    def may_have_arrived(self) -> None:
        """Send a change to the engine, or do not; a read would have no effect."""
        if self.request.changes and self.chance.random() < 0.5:
            self.ask()

    def answer(self, reply: Reply) -> None:
        """Send a complete response."""
        head = self.head(reply.status, reply.headers, len(reply.body))
        while self._talks and len(head) > 20:
            self.near.sendall(head[:20])
            head = head[20:]
        self.near.sendall(head + reply.body)

    def say(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        """Respond without the engine."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.answer(Reply(status, [("content-type", kind), *named], body))

    def head(self, status: int, headers: list[tuple[str, str]], length: int | None) -> bytes:
        """Return a head for a body with a length, or in chunks."""
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Odd')}"]
        for name, value in headers:
            if name.lower() not in (*_HOP, *self._hidden):
                lines.append(f"{name}: {value}")
        lines.append(
            "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        )
        if self.closes:
            lines.append("connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return _INTERIM + head if self._talks else head

    def wait_for_hangup(self) -> None:
        """Wait until the client has given up, and close the connection."""
        self.near.settimeout(10)
        with contextlib.suppress(OSError):
            self.near.recv(1)
        raise Hangup


def read_request(stream: BinaryIO) -> Request | None:
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split()
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
