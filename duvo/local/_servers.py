"""The servers that share one PostgreSQL database: who lives, by the database's clock."""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa

from . import _schema

servers = _schema.servers

DEAD_AFTER = timedelta(seconds=5)
"""Without a sign of life for so long, a server's turns are taken over."""

_KEPT = timedelta(minutes=10)
"""How long a dead one is remembered: what it was about to write may still arrive."""


def new_id() -> str:
    return str(uuid.uuid4())


def join(connection: sa.Connection, server_id: str) -> None:
    """Take part, from now on."""
    connection.execute(servers.delete().where(servers.c.id == server_id))
    connection.execute(servers.insert().values(id=server_id, seen=_now()))


def beat(connection: sa.Connection, server_id: str) -> bool:
    """Show that this server lives; False when it has been taken for dead."""
    alive = servers.c.seen > _now() - DEAD_AFTER
    result = connection.execute(
        servers.update().where(servers.c.id == server_id, alive).values(seen=_now())
    )
    return result.rowcount == 1


def leave(connection: sa.Connection, server_id: str) -> None:
    """Let the others take over at once."""
    connection.execute(
        servers.update().where(servers.c.id == server_id).values(seen=_now() - 2 * DEAD_AFTER)
    )


def living(connection: sa.Connection) -> set[str]:
    """The servers that live."""
    return set(
        connection.scalars(sa.select(servers.c.id).where(servers.c.seen > _now() - DEAD_AFTER))
    )


def dead(connection: sa.Connection) -> list[str]:
    """The servers whose turns are to be taken over."""
    return list(
        connection.scalars(sa.select(servers.c.id).where(servers.c.seen <= _now() - DEAD_AFTER))
    )


def forget(connection: sa.Connection, server_ids: list[str]) -> None:
    """Remove those that have been dead for long, after their turns were taken over."""
    connection.execute(
        servers.delete().where(servers.c.id.in_(server_ids), servers.c.seen <= _now() - _KEPT)
    )


def _now() -> sa.Function[object]:
    # Not the time at which the transaction began.
    return sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
