"""An HTTP proxy on loopback that records CONNECT and plain requests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Proxy:
    """The proxy's address, and the requests it received."""

    def __init__(self, url: str):
        self.url = url
        self.asked: list[str] = []


@contextmanager
def proxying() -> Iterator[Proxy]:
    """Run the proxy for the length of a block."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=_accept, args=(listener, proxy), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, proxy: Proxy) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_serve, args=(near, proxy), daemon=True).start()


def _serve(near: socket.socket, proxy: Proxy) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = near.recv(65536)
        if not piece:
            return
        head += piece
    line, rest = head.split(b"\r\n", 1)
    method, target, version = line.decode().split()
    proxy.asked.append(f"{method} {target}")
    parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
    far = socket.create_connection((parts.hostname or "", parts.port or 80))
    if method == "CONNECT":
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        far.sendall(f"{method} {path} {version}\r\n".encode() + rest)
    back = threading.Thread(target=_copy, args=(far, near), daemon=True)
    back.start()
    _copy(near, far)
    back.join()
    near.close()
    far.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
