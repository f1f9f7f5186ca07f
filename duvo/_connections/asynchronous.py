"""Connections of httpx2: whether a request was sent, and data that follows a response."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_STATUS_LINE = b"HTTP/1."


class Sending:
    """What becomes known of a request while it is sent; `trace` is its extension of httpx2.

    Args:
        is_callers: whether the connection is a caller's, which is not changed.

    Attributes:
        has_begun: whether any of it may have been sent; None if that is not known.
    """

    def __init__(self, *, is_callers: bool) -> None:
        self.has_begun: bool | None = None
        self._is_callers = is_callers
        self._connected: Any = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Record an event of the connection."""
        if event.endswith(".send_request_headers.started"):
            request = info["request"]
            # A proxy's CONNECT comes before the request.
            self.has_begun = request.method != b"CONNECT"
            if self.has_begun:
                # Of the later events only a failure to write matters; tracing all takes time.
                request.extensions.pop("trace", None)
        elif event.endswith(".send_request_headers.failed"):
            import httpcore2

            # Writing fails if the connection was closed before; then nothing was sent.
            if isinstance(info["exception"], httpcore2.WriteError):
                self.has_begun = False
        elif self.has_begun is None:
            self.has_begun = False
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._connected = info["return_value"]
            if not self._is_callers:
                _Received(self._connected)
        elif event.endswith(".setup_socks5_connection.failed"):
            # httpcore2 leaves the connection open, and cannot parse every response.
            await self._connected.aclose()
            _check_socks(info["exception"])


def _check_socks(error: BaseException) -> None:
    import httpcore2

    known = (httpcore2.ProxyError, httpcore2.TimeoutException, httpcore2.NetworkError)
    if isinstance(error, Exception) and not isinstance(error, known):
        raise httpcore2.ProxyError("its response is not SOCKS 5") from error


class _Received:
    """Keeps data that follows a response from being taken for the next response.

    httpx2 reads as much as there is, and keeps the rest for the next request. Here the
    rest makes the connection readable, and httpx2 closes a connection that is readable
    before it is used.
    """

    def __init__(self, stream: Any):
        self._read = stream.read
        self._get_extra_info = stream.get_extra_info
        self._rest = b""
        stream.read = self.read
        stream.get_extra_info = self.get_extra_info

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._rest or await self._read(max_bytes, timeout)
        end = data.find(_STATUS_LINE, 1)
        if end < 0:
            end = len(data)
        self._rest = data[end:]
        return data[:end]

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._rest:
            return True
        return self._get_extra_info(info)
