"""Connection poolers in front of PostgreSQL: the engine needs sessions of its own."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

_TIMEOUT = 1.0
"""Seconds for a notification to arrive."""


def keeps_sessions(engine: sa.Engine) -> bool:
    """Whether a connection stays with one session of the database.

    A pooler in transaction mode runs each transaction in any session:
    notifications get lost, and prepared statements are unknown.
    """
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as listening:
        driver = listening.connection.driver_connection
        assert driver is not None
        if listening.scalar(sa.select(sa.func.pg_backend_pid())) == driver.info.backend_pid:
            return True  # no pooler
        channel = f"duvo_{uuid.uuid4().hex}"
        listening.exec_driver_sql(f"LISTEN {channel}")
        with autocommit.connect() as notifying:
            notifying.exec_driver_sql(f"NOTIFY {channel}")
        arrived = any(driver.notifies(timeout=_TIMEOUT, stop_after=1))
        listening.exec_driver_sql(f"UNLISTEN {channel}")
    return arrived
