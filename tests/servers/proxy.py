"""An HTTP proxy on loopback that records CONNECT and plain requests."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.servers.connections import accepting, relay


class Proxy:
    """The proxy's address, and the requests it received.

    Attributes:
        ports: where connections to a port go, if not to the same port.
        response: sent to each CONNECT instead of connecting; empty to close at once.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None):
        self.url = url
        self.context = context
        self.requests: list[str] = []
        self.ports: dict[int, int] = {}
        self.response: bytes | None = None


@contextmanager
def running_proxy(context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run the proxy for the length of a block, over TLS with a context."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "http" if context is None else "https"
    proxy = Proxy(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", context)
    with accepting(listener, lambda near: _serve(near, proxy)):
        yield proxy


def _serve(near: socket.socket, proxy: Proxy) -> None:
    with contextlib.suppress(OSError), near:
        if proxy.context is not None:
            near = proxy.context.wrap_socket(near, server_side=True)
        with near:
            _pass_on(near, proxy)


def _pass_on(near: socket.socket, proxy: Proxy) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = near.recv(65536)
        if not piece:
            return
        head += piece
    line, rest = head.split(b"\r\n", 1)
    method, target, version = line.decode().split()
    proxy.requests.append(f"{method} {target}")
    if method == "CONNECT" and proxy.response is not None:
        near.sendall(proxy.response)
        return
    parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
    port = parts.port or 80
    far = socket.create_connection((_address(parts.hostname or ""), proxy.ports.get(port, port)))
    if method == "CONNECT":
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        far.sendall(f"{method} {path} {version}\r\n".encode() + rest)
    relay(near, far)
    far.close()


def _address(host: str) -> str:
    """Return this machine for the names that stand for a server elsewhere."""
    return "127.0.0.1" if host.endswith(".test") else host
