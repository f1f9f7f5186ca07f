"""The servers that share one PostgreSQL database: who lives, by the database's clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from .._database import schema

servers = schema.servers

DEAD_AFTER = timedelta(seconds=5)
"""Without a sign of life for so long, a server's turns are taken over, whatever the reason."""

_LATELY = timedelta(seconds=15)
"""After it was taken for dead, a server that lives may still pick turns up for a moment."""

_NAME = "duvo "
"""What the names of servers' own connections begin with."""

_KEPT = timedelta(minutes=10)
"""How long a dead one is remembered: what it was about to write may still arrive."""


def _now() -> sa.Function[object]:
    # Not the time at which the transaction began.
    return sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))


_LIVES = servers.c.seen > _now() - DEAD_AFTER


def new_id() -> str:
    return str(uuid.uuid4())


def join(connection: sa.Connection, server_id: str) -> None:
    """Take part, from now on."""
    connection.execute(servers.delete().where(servers.c.id == server_id))
    connection.execute(servers.insert().values(id=server_id, seen=_now()))


def beat(connection: sa.Connection, server_id: str) -> bool:
    """Show that this server lives; False when it has been taken for dead.

    The connection bears the server's name from then on, and is the one to call this with.
    """
    name = sa.func.set_config("application_name", f"{_NAME}{server_id}", False)
    result = connection.execute(
        servers.update()
        .where(servers.c.id == server_id, _LIVES)
        .values(seen=_now())
        .returning(name)
    )
    return result.first() is not None


def attendance(connection: sa.Connection) -> dict[str, bool]:
    """The servers that live, and whether the own connection of each stands.

    That of a server that was killed breaks at once.
    """
    return {row.id: row.stands for row in connection.execute(_ATTENDANCE)}


def take_for_dead(
    connection: sa.Connection, server_ids: Iterable[str], silent_for: timedelta
) -> list[str]:
    """Let the others take over at once.

    Args:
        silent_for: who gave a sign of life within that time is left alone.

    Returns:
        Those that were taken to live until now.
    """
    silent = servers.c.seen <= _now() - silent_for
    return list(
        connection.scalars(
            servers.update()
            .where(servers.c.id.in_(server_ids), _LIVES, silent)
            .values(seen=_now() - 2 * DEAD_AFTER)
            .returning(servers.c.id)
        )
    )


def living(connection: sa.Connection) -> set[str]:
    """The servers that live."""
    return set(connection.scalars(sa.select(servers.c.id).where(_LIVES)))


def dead(connection: sa.Connection) -> dict[str, bool]:
    """The servers whose turns are to be taken over, and whether each died lately."""
    lately = servers.c.seen > _now() - DEAD_AFTER - _LATELY
    found = connection.execute(sa.select(servers.c.id, lately.label("lately")).where(~_LIVES))
    return {row.id: row.lately for row in found}


def forget(connection: sa.Connection, server_ids: list[str]) -> None:
    """Remove those that have been dead for long, after their turns were taken over."""
    connection.execute(
        servers.delete().where(servers.c.id.in_(server_ids), servers.c.seen <= _now() - _KEPT)
    )


_ACTIVITY = sa.table("pg_stat_activity", sa.column("datname"), sa.column("application_name"))
_ATTENDANCE = sa.select(
    servers.c.id,
    sa.exists()
    .where(
        _ACTIVITY.c.datname == sa.func.current_database(),
        _ACTIVITY.c.application_name == sa.literal(_NAME).concat(servers.c.id),
    )
    .label("stands"),
).where(_LIVES)
