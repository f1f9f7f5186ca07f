"""Connections of urllib3 that skip interim responses and know whether a request was sent."""

from __future__ import annotations

import functools
import http.client
import traceback

import urllib3
from urllib3.connection import HTTPConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO


def use_in(manager: urllib3.PoolManager, connection: type) -> None:
    """Make a pool manager use these connections, which extend those of a class."""
    classes = manager.pool_classes_by_scheme.items()
    manager.pool_classes_by_scheme = {name: _pool(pool, connection) for name, pool in classes}


def was_never_sent(causes: list[BaseException]) -> bool:
    """Whether the exceptions of a failed request show that none of it was sent."""
    return any(
        # For urllib3 a refused connection is a timeout of connecting too.
        isinstance(cause, (urllib3.exceptions.ConnectTimeoutError, _NeverSent))
        or _came_while_connecting(cause)
        for cause in causes
    )


def _came_while_connecting(cause: BaseException) -> bool:
    # DNS, TCP, a proxy's CONNECT and TLS, also of a caller's session.
    return any(
        frame.f_code.co_name == "connect"
        and isinstance(frame.f_locals.get("self"), http.client.HTTPConnection)
        for frame, _ in traceback.walk_tb(cause.__traceback__)
    )


class _NeverSent(urllib3.exceptions.ProtocolError):
    """The connection turned out to be closed before anything was sent."""


class _Response(http.client.HTTPResponse):
    """A response after any interim ones, of which http.client itself skips only 100."""

    def begin(self) -> None:
        self._begin()
        while 100 <= self.status < 200:
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("the server switched to another protocol")
            self.headers = None  # type: ignore[assignment]  # as before the first one
            self._begin()

    def _begin(self) -> None:
        fp = self.fp
        head: Any = _Head(fp)
        self.fp = head
        try:
            super().begin()
        finally:
            if self.fp is head:  # it was not closed
                self.fp = fp
        if head.last_line not in (b"\r\n", b"\n"):
            # http.client takes the end of the connection for the end of the head.
            raise http.client.HTTPException("the connection ended in the head of the response")


class _Head:
    """A response's file while the head is read."""

    def __init__(self, fp: BinaryIO):
        self._fp = fp
        self.last_line = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last_line = self._fp.readline(limit)
        return self.last_line

    def close(self) -> None:
        self._fp.close()


class _Connection(HTTPConnection):
    """Notices when nothing of a request could be sent."""

    response_class = _Response
    _begins = False

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._begins = True
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        begins, self._begins = self._begins, False
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            if not begins:
                raise
            # The system took nothing of it. urllib3 would ignore the exception, and read.
            raise _NeverSent("Connection aborted.", error) from error


@functools.cache
def _pool(
    pool: type[urllib3.HTTPConnectionPool], connection: type
) -> type[urllib3.HTTPConnectionPool]:
    def connection_class(self: object) -> type:
        kind = pool.ConnectionCls
        # While vcrpy and the like replace urllib3's connections, theirs are used.
        return _extended(connection, kind) if kind.__module__.startswith("urllib3.") else kind

    return type("Pool", (pool,), {"ConnectionCls": property(connection_class)})


@functools.cache
def _extended(connection: type, kind: type) -> type:
    return type("Connection", (_Connection, connection, kind), {})
