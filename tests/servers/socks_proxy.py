"""A SOCKS5 proxy on loopback that records where it is asked to connect to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.connections import accepting, relay


class SocksProxy:
    """The proxy's address, and the connections that it was asked for.

    Attributes:
        url: of the scheme `socks5`; `remote_url` lets the proxy look names up.
        login: the user name and password that it requires, or None.
        ports: where connections to a port go, if not to the same port.
        reply: the code of its reply to each request; 0 connects.
        drip: bytes to send in place of the first reply, one at a time, until `stop`.
    """

    def __init__(self, host: str, port: int):
        self.address = f"{host}:{port}"
        self.requests: list[str] = []
        self.login: tuple[str, str] | None = None
        self.ports: dict[int, int] = {}
        self.reply = 0
        self.drip = b""
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        return f"socks5://{self.address}"

    @property
    def remote_url(self) -> str:
        return f"socks5h://{self.address}"


@contextmanager
def running_socks_proxy() -> Iterator[SocksProxy]:
    """Run the proxy for the length of a block."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = SocksProxy(*listener.getsockname())
    with accepting(listener, lambda near: _serve(near, proxy)):
        try:
            yield proxy
        finally:
            proxy.stop.set()


def _serve(near: socket.socket, proxy: SocksProxy) -> None:
    with contextlib.suppress(OSError, EOFError), near:
        _, count = _read(near, 2)
        _read(near, count)
        while proxy.drip and not proxy.stop.wait(0.05):
            near.sendall(proxy.drip)
        if proxy.login is None:
            near.sendall(b"\x05\x00")
        else:
            near.sendall(b"\x05\x02")
            if not _is_logged_in(near, proxy.login):
                return
        host, port = _destination(near)
        proxy.requests.append(f"{host}:{port}")
        if proxy.reply:
            near.sendall(bytes((5, proxy.reply, 0, 1)) + bytes(6))
            return
        with socket.create_connection(("127.0.0.1", proxy.ports.get(port, port))) as far:
            near.sendall(b"\x05\x00\x00\x01" + bytes(6))
            relay(near, far)


def _is_logged_in(near: socket.socket, login: tuple[str, str]) -> bool:
    _read(near, 1)
    given = tuple(_read(near, *_read(near, 1)).decode() for _ in login)
    near.sendall(b"\x01\x00" if given == login else b"\x01\x01")
    return given == login


def _destination(near: socket.socket) -> tuple[str, int]:
    *_, kind = _read(near, 4)
    if kind == 3:
        host = _read(near, *_read(near, 1)).decode()
    else:
        family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, _read(near, length))
    return host, int.from_bytes(_read(near, 2), "big")


def _read(near: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = near.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
