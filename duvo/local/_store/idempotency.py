"""A request that comes twice with one key is carried out once, and answered alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import sqlalchemy as sa

from .._database import schema
from .appending import unix_ms
from .commands import Change
from .refusals import Refused

table = schema.idempotency

KEPT_MS = 7 * 24 * 3600 * 1000
"""How long a key is remembered, in milliseconds."""


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def once(
    connection: sa.Connection, key: str, request_hash: str, work: Callable[[], Change]
) -> Change:
    """Do the work, unless the key has been seen: then return the first answer again.

    Raises:
        Refused: the key came with another request.
    """
    new = connection.execute(
        _insert(connection)
        .values(key=key, request_hash=request_hash, created_at=unix_ms())
        .returning(table.c.key)
    ).one_or_none()
    if new is None:
        row = connection.execute(sa.select(table).where(table.c.key == key)).one()
        if row.request_hash != request_hash:
            raise Refused(422, "this Idempotency-Key came with another request; make a new key")
        first = json.loads(row.answer)
        return Change(first["status"], first["body"])
    change = work()
    answer = json.dumps({"status": change.status, "body": change.body})
    connection.execute(table.update().where(table.c.key == key).values(answer=answer))
    return change


def forget_old(connection: sa.Connection) -> None:
    """Remove the keys that are remembered no longer."""
    connection.execute(table.delete().where(table.c.created_at < unix_ms() - KEPT_MS))


def _insert(connection: sa.Connection) -> sa.Insert:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
