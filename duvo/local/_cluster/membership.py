"""The servers that share one PostgreSQL database, and which are alive by the database's clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from .._database import schema

servers = schema.servers

DEAD_AFTER = timedelta(seconds=5)
"""A server without a heartbeat for this long is dead: its turns are taken over."""

_RECENTLY = timedelta(seconds=15)
"""For this long, a living server that was marked dead may still start turns under its old id."""

_KEPT = timedelta(minutes=10)
"""How long a dead server is remembered: its last writes may still arrive."""

_NAME = "duvo "
"""Prefix of the application name of servers' own connections."""


def _now() -> sa.Function[object]:
    # Not now(), which is when the transaction began.
    return sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))


_IS_ALIVE = servers.c.seen > _now() - DEAD_AFTER


def join(connection: sa.Connection, server_id: str) -> None:
    """Add the server, alive from now on."""
    connection.execute(servers.delete().where(servers.c.id == server_id))
    connection.execute(servers.insert().values(id=server_id, seen=_now()))


def beat(connection: sa.Connection, server_id: str) -> bool:
    """Record a heartbeat; False if the server has been marked dead."""
    # The connection gets the server's name, and is the same one for every heartbeat.
    name = sa.func.set_config("application_name", f"{_NAME}{server_id}", False)
    result = connection.execute(
        servers.update()
        .where(servers.c.id == server_id, _IS_ALIVE)
        .values(seen=_now())
        .returning(name)
    )
    return result.first() is not None


def connected(connection: sa.Connection) -> dict[str, bool]:
    """Return the living servers, and whether each one's own connection still exists."""
    # A killed server's connection is closed at once.
    return {row.id: row.is_connected for row in connection.execute(_CONNECTED)}


def mark_dead(
    connection: sa.Connection, server_ids: Iterable[str], silent_for: timedelta
) -> list[str]:
    """Mark those of the servers dead that sent no heartbeat for so long, and return them."""
    is_silent = servers.c.seen <= _now() - silent_for
    return list(
        connection.scalars(
            servers.update()
            .where(servers.c.id.in_(server_ids), _IS_ALIVE, is_silent)
            .values(seen=_now() - 2 * DEAD_AFTER)
            .returning(servers.c.id)
        )
    )


def alive(connection: sa.Connection) -> set[str]:
    """Return the living servers."""
    return set(connection.scalars(sa.select(servers.c.id).where(_IS_ALIVE)))


def dead(connection: sa.Connection) -> dict[str, bool]:
    """Return the dead servers, and whether each died recently."""
    recently = servers.c.seen > _now() - DEAD_AFTER - _RECENTLY
    rows = connection.execute(sa.select(servers.c.id, recently.label("recently")).where(~_IS_ALIVE))
    return {row.id: row.recently for row in rows}


def forget(connection: sa.Connection, server_ids: list[str]) -> None:
    """Delete those of the servers that died long ago, after their turns were taken over."""
    connection.execute(
        servers.delete().where(servers.c.id.in_(server_ids), servers.c.seen <= _now() - _KEPT)
    )


_ACTIVITY = sa.table("pg_stat_activity", sa.column("datname"), sa.column("application_name"))
_CONNECTED = sa.select(
    servers.c.id,
    sa.exists()
    .where(
        _ACTIVITY.c.datname == sa.func.current_database(),
        _ACTIVITY.c.application_name == sa.literal(_NAME).concat(servers.c.id),
    )
    .label("is_connected"),
).where(_IS_ALIVE)
