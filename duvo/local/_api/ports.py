"""The socket that a server listens on, and its address."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Callable
from typing import Any

from ..errors import EngineError, PortInUse

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 7411
"""The port that `duvo dev` and `duvo serve` try first."""

_MAX_TRIED = 100


def listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket; port 0 is any free one, None the default or the next free one."""
    if port is not None:
        return _bind(host, port)
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _MAX_TRIED):
        with contextlib.suppress(PortInUse):
            return _bind(host, candidate)
    raise PortInUse(f"ports {DEFAULT_PORT} to {candidate} are all in use; name one with port=")


def address_of(listening: socket.socket) -> tuple[IPAddress, int]:
    """Return the address and the port that the socket is bound to."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(str(host).partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address, port


def is_loopback(host: str) -> bool:
    """Whether the text is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def served_by(listening: socket.socket) -> Callable[[int], bool]:
    """Return a function that says whether a descriptor is this socket, or one it accepted."""
    family, (address, port) = listening.family, address_of(listening)

    def is_served(descriptor: int) -> bool:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        with socket.socket(fileno=os.dup(descriptor)) as opened:
            if opened.family != family:
                return False
            own_address, own_port = address_of(opened)
        return own_port == port and (address.is_unspecified or own_address == address)

    return is_served


def reachable(address: IPAddress) -> str:
    """Return the host of a URL by which this machine connects to the address."""
    if address.is_unspecified:
        # Bound to every address; loopback is the one that every machine has.
        address = ipaddress.ip_address("::1" if address.version == 6 else LOOPBACK)
    return f"[{address}]" if address.version == 6 else str(address)


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise EngineError(f"{port} is not a port; name one from 1 to 65535")
    family, address = _resolve(host, port)
    # With the protocol named: asyncio sets TCP_NODELAY on such sockets only.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        # Connections of an engine that was just closed must not block the port. On Windows they
        # do not, and the option would let two programs listen on it.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(address)
        opened.listen(512)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} is in use by another program on {host}; name another with port="
            ) from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise _unknown_address(host) from None
        raise EngineError(
            f"port {port} of {host} cannot be used ({error.strerror}); name another with port="
        ) from None
    return opened


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        if not name:
            raise _unknown_address(host)
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _unknown_address(host) from None
    family, _, _, _, address = found[0]
    return family, address


def _unknown_address(host: str) -> EngineError:
    return EngineError(
        f"{host!r} is not an address of this machine; name one with host=, or 0.0.0.0 for all"
    )
