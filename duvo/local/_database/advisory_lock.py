"""A lock across all servers of a PostgreSQL database."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa

_KEY = 7_412


class AdvisoryLock:
    """Held by its own connection, and free as soon as that ends."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._connection: sa.Connection | None = None

    def try_acquire(self) -> bool:
        """Take the lock, unless another server holds it or the database does not answer."""
        try:
            connection = self._engine.connect()
            if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_KEY))):
                connection.commit()
                self._connection = connection
                return True
            connection.close()
        except sa.exc.DBAPIError:
            pass
        return False

    def release(self) -> None:
        """Release the lock if it is held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sa.exc.DBAPIError):
                connection.invalidate()
                connection.close()
