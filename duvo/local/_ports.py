"""Finding a port on loopback."""

from __future__ import annotations

import errno
import socket

from .errors import EngineError, PortInUse

HOST = "127.0.0.1"
DEFAULT = 7411
_TRIED = 100


def listen(port: int | None) -> socket.socket:
    """A socket that is bound on loopback.

    Args:
        port: a port of the caller's, 0 for any free one, or None for the
            usual one or the next free one after it.

    Raises:
        PortInUse: the port belongs to another program.
        EngineError: the number is no port, or may not be bound.
    """
    if port is not None:
        return _bind(port)
    for candidate in range(DEFAULT, DEFAULT + _TRIED):
        try:
            return _bind(candidate)
        except PortInUse:
            continue
    raise PortInUse(f"ports {DEFAULT} to {DEFAULT + _TRIED - 1} are all in use; name one by --port")


def _bind(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise EngineError(f"{port} is no port; name one from 1 to 65535")
    # With the protocol named: asyncio sends at once (TCP_NODELAY) on such sockets alone.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Connections of an engine that was just closed must not keep the next one out.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(512)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} is in use by another program; name another by --port, or none"
            ) from None
        raise EngineError(f"port {port} cannot be used ({error.strerror})") from None
    return opened
