"""Connections of urllib3 that are made within the time of an exchange."""

from __future__ import annotations

import socket

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from .exchange import current
from .names import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
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
            sock = _connect(self, exchange)
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


def _connect(connection: HTTPConnection, exchange: Exchange) -> socket.socket:
    host = connection.host.strip("[]")
    left = list(addresses(host, connection.port, sockets.allowed_gai_family(), exchange.left))
    failure: OSError = OSError("the name has no address")
    while left:
        # The others have their share of the time that an address does not need.
        share = exchange.left / len(left)
        if connection.timeout is not None:
            share = min(share, connection.timeout)
        try:
            sock = sockets.create_connection(
                (left.pop(0), connection.port),
                max(0.001, share),
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failure = error
        else:
            sock.settimeout(connection.timeout)
            return sock
    raise failure
