"""The engine's own tables, which the API is served from."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from .._text import one_line
from ..errors import DatabaseDamaged, DatabaseLocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .location import Location

VERSION = 1
"""The version of these tables; a database of another version is refused."""

_PREPARE_LOCK = 7_411
"""The key of PostgreSQL's advisory lock while tables are created."""

metadata = MetaData()

meta = Table("duvo_meta", metadata, Column("version", Integer, primary_key=True))

runs = Table(
    "duvo_runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("build_id", String(36), nullable=False),
    Column("title", Text, nullable=False),
    Column("run_number", Integer, nullable=False),
    Column("user_id", String(36), nullable=False),
    Column("source", Text, nullable=False),
    Column("sandbox_id", Text),
    Column("webhook_url", Text),
    Column("status", String(16), nullable=False),
    Column("failure", Text),
    Column("pending_request_id", String(36)),
    # The current turn's number, and the message and operation counters when it was created.
    Column("turn", Integer, nullable=False),
    Column("turn_messages", Integer, nullable=False),
    Column("turn_ops", Integer, nullable=False),
    # Counters: all messages, the agents' operations, the messages that people posted.
    Column("messages", Integer, nullable=False),
    Column("ops", Integer, nullable=False),
    Column("prompts", Integer, nullable=False),
    # Unix time in milliseconds, as in the other tables.
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("duvo_runs_created", "created_at", "id"),
    Index("duvo_runs_agent", "agent_id", "created_at"),
    Index("duvo_runs_status", "status", "created_at"),
    Index("duvo_runs_number", "run_number"),
)

messages = Table(
    "duvo_messages",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    # The number of the agent's operation; null for what people and the API appended.
    Column("op", Integer),
    Column("type", String(32), nullable=False),
    Column("role", String(16), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("text", Text),
    Column("data", Text),
    UniqueConstraint("run_id", "op"),
    sqlite_with_rowid=False,
)

requests = Table(
    "duvo_requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("run_id", String(36), nullable=False, index=True),
    Column("turn", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("answer", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
)

idempotency = Table(
    "duvo_idempotency",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("answer", Text),
    Column("created_at", BigInteger, nullable=False, index=True),
)

servers = Table(
    "duvo_servers",
    metadata,
    Column("id", String(36), primary_key=True),
    # By the database's clock; used on PostgreSQL only.
    Column("seen", DateTime(timezone=True), nullable=False),
)


def prepare(engine: Engine, location: Location) -> None:
    """Create the tables where they are missing, and check their version.

    Raises:
        DatabaseLocked: another program holds the database.
        DatabaseDamaged: the database cannot be used, or has other tables.
    """
    try:
        with engine.begin() as connection:
            if location.file is None:
                # Two servers that start at once would both create the tables.
                connection.execute(select(func.pg_advisory_xact_lock(_PREPARE_LOCK)))
            present = set(inspect(connection).get_table_names())
            if location.file and present and meta.name not in present:
                raise DatabaseDamaged(
                    f"{location.shown}: a database of another program; name another file"
                )
            metadata.create_all(connection)
            version = connection.scalar(select(meta.c.version))
            if version is None:
                connection.execute(meta.insert().values(version=VERSION))
            elif version != VERSION:
                raise DatabaseDamaged(
                    f"{location.shown}: of version {version}, this duvo knows {VERSION}; "
                    f"use the duvo that made it, or name another database"
                )
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
