"""Reading what a request carries: its JSON body and its parameters, refused where they are bad."""

from __future__ import annotations

import json
import math
import uuid
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from .._store.refusals import Refused

LARGEST = 10 * 1024 * 1024
"""Bytes of a body at most."""


async def read_body(request: Request) -> bytes:
    """The body's bytes.

    Raises:
        Refused: it is over 10 MB, whether it says so or not, or was cut off.
    """
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= LARGEST:
                chunks.append(chunk)
            elif size > 10 * LARGEST:
                break
    except ClientDisconnect:
        raise Refused(400, "the body was cut off") from None
    if size > LARGEST:
        # Only now: a client that still sends would not see the answer.
        raise Refused(413, "the body is over 10 MB; send less")
    return b"".join(chunks)


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Refused: it is none.
    """
    try:
        made = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(made, dict):
        raise Refused(400, "the body must be a JSON object")
    return made


def text_field(body: dict[str, Any], name: str) -> str | None:
    """A field that holds text, or None where it is absent.

    Raises:
        Refused: it holds something else, or text that cannot be kept.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(400, f"{name} must be text")
    return checked_text(value, name)


def url_field(body: dict[str, Any], name: str) -> str | None:
    """A field that holds a web address, or None where it is absent.

    Raises:
        Refused: it holds something else.
    """
    text = text_field(body, name)
    try:
        parts = urlsplit(text or "http://localhost")
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits:
        raise Refused(400, f"{name} must be a URL that begins with http:// or https://")
    return text


def checked_text(value: str, name: str) -> str:
    """The text, when every database can keep it.

    Raises:
        Refused: it has NUL characters or halves of surrogate pairs.
    """
    if "\0" in value:
        raise Refused(400, f"{name} must have no NUL characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused(400, f"{name} must be Unicode text; it has half a surrogate pair") from None
    return value


def uuid_text(value: str, name: str) -> str:
    """An id in its one usual form.

    Raises:
        Refused: it is no UUID.
    """
    try:
        made = str(uuid.UUID(value))
    except ValueError:
        made = ""
    if made != value.lower():
        raise Refused(400, f"{name} must be a UUID")
    return made


def parameter(request: Request, name: str, words: tuple[str, ...] = ()) -> str | None:
    """A parameter of the query, or None where it is absent.

    Args:
        words: the values that it may have; any when there are none.

    Raises:
        Refused: it comes twice, is none of the words, or is text that cannot be kept.
    """
    values = request.query_params.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise Refused(400, f"{name} comes {len(values)} times")
    if words and values[0] not in words:
        raise Refused(400, f"{name} must be one of: {' '.join(words)}")
    return checked_text(values[0], name)


def whole_number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A parameter that is a whole number within bounds.

    Raises:
        Refused: it is not.
    """
    text = parameter(request, name)
    if text is None:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= 20
    number = int(text) if digits else -1
    if not low <= number <= high:
        raise Refused(400, f"{name} must be a whole number from {low} to {high}")
    return number


def seconds(request: Request, name: str, most: float) -> float:
    """A parameter that is a time in seconds, cut to the most; 0 where it is absent.

    Raises:
        Refused: it is no such time.
    """
    text = parameter(request, name)
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise Refused(400, f"{name} must be a number of seconds")
    return min(value, most)


def moment(request: Request, name: str) -> int | None:
    """A parameter that is a time, as Unix milliseconds.

    Raises:
        Refused: it is none.
    """
    text = parameter(request, name)
    if text is None:
        return None
    try:
        # A plus sign in a query is a blank unless it was escaped.
        made = datetime.fromisoformat(text.strip().replace(" ", "+").replace("Z", "+00:00"))
        if made.tzinfo is None:
            made = made.replace(tzinfo=timezone.utc)
        return math.ceil(made.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused(400, f"{name} must be a time like 2026-01-31T09:30:00Z") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
