"""Connections of urllib3 that are made within the time of an exchange."""

from __future__ import annotations

import socket
from functools import partial

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from .exchange import current
from .names import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .exchange import Exchange


class TimedConnection(HTTPConnection):
    """A connection whose exchange, if there is one with a limit, is ended in time.

    It replaces a private method of urllib3: nothing public divides the time among
    the addresses of a name.
    """

    def _new_conn(self) -> socket.socket:
        exchange = current()
        if exchange is None or not exchange.is_limited:
            return super()._new_conn()
        try:
            if (options := getattr(self, "_socks_options", None)) is not None:
                from .socks_proxy import SocksProxy

                proxy = SocksProxy(self, options, exchange)
                sock = _dial(self, exchange, proxy.host, proxy.port, proxy.connect)
            elif _dials_directly(self):
                host, connect = self.host.strip("[]"), partial(_connect, self)
                sock = _dial(self, exchange, host, self.port, connect)
            else:
                # It may lead through a proxy, which matters more than dividing the time.
                sock = super()._new_conn()
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"cannot connect to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"cannot connect to {self.host}: {error}") from error
        exchange.use(sock)
        return sock

    def connect(self) -> None:
        """Connect, as urllib3 does."""
        exchange = current()
        if exchange is not None:
            exchange.has_begun_to_send = False
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, as urllib3 does."""
        if self.sock is None:
            self.connect()
        exchange = current()
        if exchange is not None:
            if exchange.is_limited and self.sock is not None:
                exchange.use(self.sock)
            exchange.has_begun_to_send = True
        super().request(*args, **kwargs)


def _dials_directly(connection: TimedConnection) -> bool:
    """Whether urllib3 itself would connect to the host of a connection, or to its HTTP proxy."""
    kinds = type(connection).__mro__
    replaced = kinds[kinds.index(TimedConnection) + 1 :]
    return next(kind for kind in replaced if "_new_conn" in vars(kind)) is HTTPConnection


def _connect(connection: HTTPConnection, address: str, seconds: float) -> socket.socket:
    return sockets.create_connection(
        (address, connection.port),
        seconds,
        source_address=connection.source_address,
        socket_options=connection.socket_options,
    )


def _dial(
    connection: HTTPConnection,
    exchange: Exchange,
    host: str,
    port: int,
    connect: Callable[[str, float], socket.socket],
) -> socket.socket:
    """Connect to the first address of a host that can be reached in its share of the time."""
    left = list(addresses(host, port, sockets.allowed_gai_family(), exchange.left))
    failure: OSError = OSError("the name has no address")
    while left:
        # The others have their share of the time that an address does not need.
        share = exchange.left / len(left)
        if connection.timeout is not None:
            share = min(share, connection.timeout)
        try:
            sock = connect(left.pop(0), max(0.001, share))
        except OSError as error:
            failure = error
        else:
            sock.settimeout(connection.timeout)
            return sock
    raise failure
