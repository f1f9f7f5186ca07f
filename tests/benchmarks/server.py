"""HTTP on asyncio alone, so cheap that the clients are what is measured.

A module that serves calls `serve` with its `respond`; a benchmark opens
`serving` with the module's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, unquote

Reply = Callable[[bytes], None]
"""Sends the body of the response; it may be called later."""

Respond = Callable[[str, list[str], dict[str, str], bytes, Reply], None]
"""Gets the method, the parts of the path, the query, the body, and how to reply."""


class _Connection(asyncio.Protocol):
    def __init__(self, respond: Respond):
        self._respond = respond
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        lines = head.decode().split("\r\n")
        for line in lines[1:]:
            if line[:15].lower() == "content-length:":
                length = int(line[15:])
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = lines[0].split(" ")
        path, _, query = target.partition("?")
        fields = dict(parse_qsl(unquote(query)))
        self._respond(method, path.split("/")[1:], fields, rest[:length], self._reply)

    def _reply(self, body: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"x-request-id: req-1\r\nduvo-idempotency: 1\r\nduvo-long-poll: 30\r\n\r\n%s"
            % (len(body), body)
        )


def serve(respond: Respond) -> None:
    """Serve on a free port of loopback, and print the base URL."""
    allow_many_connections()
    asyncio.run(_serve(respond))


async def _serve(respond: Respond) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(respond), "127.0.0.1", 0, backlog=1000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def allow_many_connections() -> None:
    """Raise the limit of open files as far as this process may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def serving(module: str) -> Iterator[str]:
    """Run such a module in a process of its own until the block ends; return its base URL."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
