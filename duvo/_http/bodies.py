"""Bodies: JSON to bytes, bytes to JSON, and reading them while somebody still waits."""

from __future__ import annotations

import json

from .. import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from typing import Any

    import requests

    from .clock import Deadline

_MOST_AT_ONCE = 65536


class Closed(Exception):
    """The one who reads has closed the follow; never leaves the library."""

    def __str__(self) -> str:
        return "nobody waits for the answer any more"


def encode(body: Any) -> bytes:
    """A request's body as JSON.

    Raises:
        DuvoError: it cannot be JSON.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise _errors.DuvoError(f"the request's body cannot be sent as JSON: {error}") from None


def decode(payload: bytes) -> tuple[Any, bool]:
    """An answer's JSON, None for an empty one; and whether it could be read at all."""
    if not payload.strip():
        return None, True
    try:
        return json.loads(payload), True
    except (ValueError, RecursionError):
        return None, False


def read(
    response: requests.Response,
    deadline: Deadline | None,
    closed: threading.Event | None,
    timeout: float,
) -> bytes:
    """An answer's body, given up when the deadline has passed or the reader was closed.

    Args:
        response: the answer, whose body has not been read.
        deadline: no wait for data goes beyond it.
        closed: whether anybody still waits.
        timeout: seconds for each wait for data.

    Raises:
        Closed: the reader was closed.
        requests.RequestException: the body did not come whole, or not in time.
    """
    if deadline is None and closed is None:
        return response.content
    return b"".join(_pieces(response, deadline, closed, timeout))


def _pieces(
    response: requests.Response,
    deadline: Deadline | None,
    closed: threading.Event | None,
    timeout: float,
) -> Iterator[bytes]:
    # A held request sends a space now and then, and a bad server drips: each
    # piece is the chance to see that nobody waits any more.
    import requests
    import urllib3

    try:
        while True:
            if closed is not None and closed.is_set():
                raise Closed
            if deadline is not None:
                if deadline.passed:
                    raise requests.ReadTimeout("the answer was still coming")
                _wait_no_longer_than(deadline.left(timeout), response)
            piece = response.raw.read1(_MOST_AT_ONCE, decode_content=True)
            if not piece:
                return
            yield piece
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def _wait_no_longer_than(seconds: float, response: requests.Response) -> None:
    # The headers have used up some of the time that the socket was given.
    socket = getattr(getattr(response.raw, "connection", None), "sock", None)
    if socket is not None:
        socket.settimeout(max(0.001, seconds))
