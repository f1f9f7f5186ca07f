"""The values in a request: in its path, query, headers and body.

Every function raises `ApiError` for a value that is not allowed.
"""

from __future__ import annotations

import json
import math
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from .._store import shapes
from .._store.api_errors import ApiError
from .long_poll import MAX_WAIT

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_MAX_BODY = 10 * 1024 * 1024
"""Bytes."""


async def read_body(request: Request) -> bytes:
    """Return the body's bytes, 10 MB at most."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= _MAX_BODY:
                chunks.append(chunk)
            elif size > 10 * _MAX_BODY:
                break
    except ClientDisconnect:
        raise ApiError(400, "the body was cut off") from None
    if size > _MAX_BODY:
        # Not earlier: a client that is still sending would not see the response.
        raise ApiError(413, "the body is over 10 MB; send less")
    return b"".join(chunks)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the body as a JSON object."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body must be a JSON object")
    return value


def text_field(body: dict[str, Any], name: str) -> str | None:
    """Return a field of the body that holds text, or None if it is absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ApiError(400, f"{name} must be text")
    return checked_text(value, name)


def url_field(body: dict[str, Any], name: str) -> str | None:
    """Return a field of the body that holds an HTTP URL, or None if it is absent."""
    text = text_field(body, name)
    try:
        parts = urlsplit(text or "http://localhost")
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url:
        raise ApiError(400, f"{name} must be a URL that begins with http:// or https://")
    return text


def checked_text(value: str, name: str) -> str:
    """Return the text if every database can store it."""
    if "\0" in value:
        raise ApiError(400, f"{name} must have no NUL characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ApiError(400, f"{name} must be Unicode text; it has half a surrogate pair") from None
    return value


def checked_uuid(value: str, name: str) -> str:
    """Return a UUID in lower case."""
    try:
        parsed = str(uuid.UUID(value))
    except ValueError:
        parsed = ""
    if parsed != value.lower():
        raise ApiError(400, f"{name} must be a UUID")
    return parsed


def path_id(request: Request, name: str) -> str:
    """Return a UUID in the path."""
    return checked_uuid(request.path_params[name], name)


def check_team(request: Request) -> None:
    """Check that the team in the path is this server's."""
    if request.path_params["team_id"] != shapes.TEAM_ID:
        raise ApiError(404, "there is no such team, or the key belongs to another")


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key, or None if there is none."""
    key = request.headers.get("idempotency-key")
    if key is not None and (not 0 < len(key) <= 255 or not key.isprintable()):
        raise ApiError(400, "Idempotency-Key must be 1 to 255 printable characters")
    return key


def parameter(request: Request, name: str, *allowed: str) -> str | None:
    """Return a parameter of the query, or None if it is absent; any value if none is `allowed`."""
    values = request.query_params.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise ApiError(400, f"{name} is given {len(values)} times")
    if allowed and values[0] not in allowed:
        raise ApiError(400, f"{name} must be one of: {' '.join(allowed)}")
    return checked_text(values[0], name)


def uuid_parameter(request: Request, name: str) -> str | None:
    """Return a parameter that is a UUID, or None if it is absent."""
    text = parameter(request, name)
    return None if text is None else checked_uuid(text, name)


def page(request: Request, *, max_limit: int) -> tuple[int, int]:
    """Return the offset and limit of a page; 0 and 20 by default."""
    limit = _whole_number(request, "limit", 20, 1, max_limit)
    return _whole_number(request, "offset", 0, 0, 2**53 - 1), limit


def wait(request: Request) -> float:
    """Return the seconds for which to hold the request, at most `MAX_WAIT`; 0 by default."""
    text = parameter(request, "wait")
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise ApiError(400, "wait must be a number of seconds")
    return min(value, MAX_WAIT)


def moment(request: Request, name: str, *, round_up: bool) -> int | None:
    """Return a parameter that is a time, in Unix milliseconds, or None if it is absent."""
    text = parameter(request, name)
    if text is None:
        return None
    try:
        # A plus sign in a query means a blank unless it is escaped.
        value = datetime.fromisoformat(text.strip().replace(" ", "+").replace("Z", "+00:00"))
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone.utc)
        microseconds = (value - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise ApiError(400, f"{name} must be a time like 2026-01-31T09:30:00Z") from None
    return -(-microseconds // 1000) if round_up else microseconds // 1000


def _whole_number(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = parameter(request, name)
    if text is None:
        return default
    has_digits = text.isascii() and text.isdigit() and len(text) <= 20
    number = int(text) if has_digits else -1
    if not low <= number <= high:
        raise ApiError(400, f"{name} must be a whole number from {low} to {high}")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
