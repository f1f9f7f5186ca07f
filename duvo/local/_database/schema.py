"""The engine's own tables, which the API is served from."""

from __future__ import annotations

import time
import uuid

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from .._text import one_line
from ..errors import DatabaseDamaged, DatabaseLocked
from .location import Location
from .pooler import keeps_sessions

VERSION = 1
"""The version of these tables; a database of another version is refused."""

_PREPARE_LOCK = 7_411
"""The key of PostgreSQL's advisory lock while tables are created."""

metadata = sa.MetaData()

meta = sa.Table(
    "duvo_meta",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    # Of this database: another one in its place has another id, a copy of it the same.
    sa.Column("id", sa.String(36)),
    # Unix time in milliseconds of the last check that the database accepts changes.
    sa.Column("checked_at", sa.BigInteger),
)

runs = sa.Table(
    "duvo_runs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("agent_id", sa.String(36), nullable=False),
    sa.Column("agent_name", sa.Text, nullable=False),
    sa.Column("build_id", sa.String(36), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("run_number", sa.Integer, nullable=False),
    sa.Column("user_id", sa.String(36), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sandbox_id", sa.Text),
    sa.Column("webhook_url", sa.Text),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("failure", sa.Text),
    sa.Column("pending_request_id", sa.String(36)),
    # The current turn's number, and the message and operation counters when it was created.
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("turn_messages", sa.Integer, nullable=False),
    sa.Column("turn_ops", sa.Integer, nullable=False),
    # Counters: all messages, the agents' operations, the messages that people posted.
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("ops", sa.Integer, nullable=False),
    sa.Column("prompts", sa.Integer, nullable=False),
    # Unix time in milliseconds, as in the other tables.
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger),
    # How often the current turn was resumed since it last made progress.
    sa.Column("resumed", sa.Integer, nullable=False, server_default="0"),
    sa.Index("duvo_runs_created", "created_at", "id"),
    sa.Index("duvo_runs_agent", "agent_id", "created_at"),
    sa.Index("duvo_runs_status", "status", "created_at"),
    sa.Index("duvo_runs_number", "run_number"),
)

messages = sa.Table(
    "duvo_messages",
    metadata,
    sa.Column("run_id", sa.String(36), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    # The number of the agent's operation; null for what people and the API appended.
    sa.Column("op", sa.Integer),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("data", sa.Text),
    sa.UniqueConstraint("run_id", "op"),
    sqlite_with_rowid=False,
)

requests = sa.Table(
    "duvo_requests",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("run_id", sa.String(36), nullable=False, index=True),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("answered_at", sa.BigInteger),
)

idempotency = sa.Table(
    "duvo_idempotency",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
)

servers = sa.Table(
    "duvo_servers",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    # By the database's clock; used on PostgreSQL only.
    sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
)


def check(database_id: str) -> sa.Update:
    """Return a small write, which changes one row if this is still the database of that id."""
    moment = time.time_ns() // 1_000_000
    return meta.update().where(meta.c.id == database_id).values(checked_at=moment)


def prepare(engine: sa.Engine, location: Location) -> str:
    """Create the tables and columns that are missing, check the version, and return the id."""
    try:
        if location.file is None and not keeps_sessions(engine):
            raise DatabaseDamaged(
                f"{location.shown}: a pooler such as PgBouncer is in between, in transaction mode; "
                f"name the database's own address, or use the pooler's session mode"
            )
        with engine.begin() as connection:
            if location.file is None:
                # Two servers that start at once would both create the tables.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PREPARE_LOCK)))
            present = set(sa.inspect(connection).get_table_names())
            if location.file and present and meta.name not in present:
                raise DatabaseDamaged(
                    f"{location.shown}: a database of another program; name another file"
                )
            metadata.create_all(connection)
            _add_missing_columns(connection)
            version = connection.scalar(sa.select(meta.c.version))
            if version is None:
                connection.execute(meta.insert().values(version=VERSION))
            elif version != VERSION:
                raise DatabaseDamaged(
                    f"{location.shown}: of version {version}, this duvo knows {VERSION}; "
                    f"use the duvo that made it, or name another database"
                )
            connection.execute(
                meta.update().where(meta.c.id.is_(None)).values(id=str(uuid.uuid4()))
            )
            return str(connection.scalar(sa.select(meta.c.id)))
    except DBAPIError as error:
        reason = one_line(error)
        if "locked" in reason:
            raise DatabaseLocked(
                f"{location.shown}: another program holds the database ({reason})"
            ) from None
        if location.file is None:
            raise DatabaseDamaged(
                f"{location.shown}: the database cannot be used ({reason})"
            ) from None
        raise DatabaseDamaged(
            f"{location.shown}: not a usable database ({reason}); name another file"
        ) from None


def _add_missing_columns(connection: sa.Connection) -> None:
    # Each may be null or has a default: an earlier version, which does not know them, may use the
    # database at the same time.
    inspector = sa.inspect(connection)
    for table in metadata.sorted_tables:
        present = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                added = sa.schema.CreateColumn(column).compile(connection)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {added}")
