"""Connections through a SOCKS proxy within the time of an exchange, made by PySocks."""

from __future__ import annotations

import socket

import socks  # type: ignore[import-untyped]
from urllib3.util import connection as sockets

from .names import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from urllib3.connection import HTTPConnection

    from .exchange import Exchange

_DEFAULT_PORT = 1080


class SocksProxy:
    """The SOCKS proxy of a connection.

    PySocks limits only single operations, and looks names up without a limit. Here
    names are looked up within the exchange's time, and the exchange knows the
    socket from the start, so that it can cut off a proxy that responds byte by byte.

    Args:
        connection: the connection to the server, through the proxy.
        options: urllib3's options for a connection through a SOCKS proxy.
        exchange: the exchange, whose time limits everything.
    """

    def __init__(self, connection: HTTPConnection, options: Mapping[str, Any], exchange: Exchange):
        self.host: str = (options["proxy_host"] or "").strip("[]")
        self.port: int = options["proxy_port"] or _DEFAULT_PORT
        self._connection = connection
        self._options = options
        self._exchange = exchange

    def connect(self, address: str, seconds: float) -> socket.socket:
        """Connect to the server through an address of the proxy. `seconds` limits each operation.

        Raises:
            TimeoutError: the proxy did not respond in time.
            OSError: the proxy cannot be reached, or refused.
        """
        options, connection = self._options, self._connection
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock: socket.socket = socks.socksocket(family, socket.SOCK_STREAM)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            if connection.source_address:
                sock.bind(connection.source_address)
            sock.settimeout(seconds)
            sock.set_proxy(  # type: ignore[attr-defined]
                options["socks_version"],
                address,
                self.port,
                options["rdns"],
                options["username"],
                options["password"],
            )
            destination = self._destination()
            self._exchange.use(sock)
            sock.connect((destination, connection.port))
        except socks.ProxyError as error:
            sock.close()
            if isinstance(error.socket_err, TimeoutError):
                raise error.socket_err from error
            raise
        except BaseException:
            sock.close()
            raise
        return sock

    def _destination(self) -> str:
        host = self._connection.host.strip("[]")
        if self._options["rdns"]:
            return host
        is_socks4 = self._options["socks_version"] == socks.PROXY_TYPE_SOCKS4
        family = socket.AF_INET if is_socks4 else sockets.allowed_gai_family()
        return addresses(host, self._connection.port, family, self._exchange.left)[0]
