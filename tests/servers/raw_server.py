"""A server that writes its responses byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.servers.connections import accepting


@contextmanager
def raw_server(
    serve: Callable[[socket.socket, bytes], None], context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server that passes the head of each request to a function, over TLS with a context."""
    listener = socket.create_server(("127.0.0.1", 0))

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            while head := connection.recv(65536):
                serve(connection, head)

    scheme = "http" if context is None else "https"
    with accepting(listener, handle):
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
