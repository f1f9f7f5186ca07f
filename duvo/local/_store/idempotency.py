"""Idempotency keys: a repeated request is executed once and gets the first response again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import sqlalchemy as sa

from .._database import schema
from .api_errors import ApiError
from .appending import unix_ms
from .commands import Change

table = schema.idempotency

_KEPT_MS = 7 * 24 * 3600 * 1000
"""Milliseconds for which a key is remembered."""

_INSERT_IF_NEW = sa.text(
    "INSERT INTO duvo_idempotency (key, request_hash, created_at)"
    " VALUES (:key, :request_hash, :created_at) ON CONFLICT DO NOTHING RETURNING key"
)


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return a digest that is the same for the same request."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def once(
    connection: sa.Connection,
    key: str,
    request_hash: str,
    work: Callable[[sa.Connection], Change],
) -> Change:
    """Do the work, or return the first response if the key has been used."""
    values = {"key": key, "request_hash": request_hash, "created_at": unix_ms()}
    if connection.execute(_INSERT_IF_NEW, values).one_or_none() is None:
        row = connection.execute(sa.select(table).where(table.c.key == key)).one()
        if row.request_hash != request_hash:
            raise ApiError(
                422, "this Idempotency-Key was used with another request; make a new key"
            )
        first = json.loads(row.answer)
        return Change(first["status"], first["body"])
    change = work(connection)
    response = json.dumps({"status": change.status, "body": change.body})
    connection.execute(table.update().where(table.c.key == key).values(answer=response))
    return change


def delete_expired(connection: sa.Connection) -> None:
    """Delete expired keys."""
    connection.execute(table.delete().where(table.c.created_at < unix_ms() - _KEPT_MS))
