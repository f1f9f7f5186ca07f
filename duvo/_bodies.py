"""Bodies: JSON to bytes, bytes to JSON, and reading them while somebody still waits."""

from __future__ import annotations

import json

from . import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from typing import Any

    import requests

    from ._clock import Deadline

_MOST_AT_ONCE = 65536


class Closed(Exception):
    """The one who reads has closed the follow; never leaves the library."""


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
    method: str,
    path: str,
) -> bytes:
    """An answer's body, given up when the deadline has passed or the reader was closed.

    Raises:
        Closed: the reader was closed.
        TimeoutError: the deadline passed while it was coming.
    """
    if deadline is None and closed is None:
        return response.content
    return b"".join(_pieces(response, deadline, closed, method, path))


def _pieces(
    response: requests.Response,
    deadline: Deadline | None,
    closed: threading.Event | None,
    method: str,
    path: str,
) -> Iterator[bytes]:
    # A held request sends a space now and then, and a bad server drips: each
    # piece is the chance to see that nobody waits any more.
    import requests
    import urllib3

    try:
        while True:
            piece = response.raw.read1(_MOST_AT_ONCE, decode_content=True)
            if not piece:
                return
            yield piece
            if closed is not None and closed.is_set():
                raise Closed
            if deadline is not None and deadline.passed:
                raise _errors.TimeoutError(
                    f"{method} {path}: the answer was still coming when the time was up",
                    method=method,
                    path=path,
                )
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
