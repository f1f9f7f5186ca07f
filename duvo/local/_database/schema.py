"""The engine's own tables: what the API serves."""

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
)

VERSION = 1
"""Of these tables; a database of a newer one is refused."""

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
    # Turns, and where in the conversation and in the agent's own count the current one began.
    Column("turn", Integer, nullable=False),
    Column("turn_messages", Integer, nullable=False),
    Column("turn_ops", Integer, nullable=False),
    # How many messages there are, how many of the agent's own, how many people posted.
    Column("messages", Integer, nullable=False),
    Column("ops", Integer, nullable=False),
    Column("prompts", Integer, nullable=False),
    # Unix time in milliseconds, as everywhere here.
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
    # The agent's own count; absent on what people and the API appended.
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
    # By the database's clock; only where several servers can share it.
    Column("seen", DateTime(timezone=True), nullable=False),
)
