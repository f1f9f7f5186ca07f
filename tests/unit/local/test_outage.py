"""Which errors of a database are outages, and that older databases gain what is new."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from duvo.local import DatabaseReplaced
from duvo.local._database import connections, schema
from duvo.local._database.database import Database
from duvo.local._database.location import locate
from duvo.local._database.outage import is_outage


def _error(database: str, *statements: str) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:  # noqa: SIM117
        with contextlib.closing(sqlite3.connect(database, uri=True, timeout=0)) as connection:
            for statement in statements:
                connection.execute(statement)
    return caught.value


def test_sqlite_that_is_full_read_only_missing_or_busy_is_an_outage(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        insert = "INSERT INTO t VALUES (randomblob(100000))"
        full = _error(str(file), "PRAGMA max_page_count=3", insert)
        read_only = _error(f"file:{file}?mode=ro", insert)
        missing = _error(str(tmp_path / "gone" / "a.sqlite"), "SELECT * FROM t")
        connection.execute("BEGIN IMMEDIATE")
        busy = _error(str(file), insert)
    assert [str(error) for error in (full, read_only, missing, busy) if not is_outage(error)] == []


def test_sqlite_that_is_damaged_or_misused_is_not_an_outage(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    file.write_bytes(b"no database" * 100)
    errors = (
        _error(str(file), "SELECT 1 FROM t"),
        _error(":memory:", "SELECT 1 FROM t"),
        _error(":memory:", "CREATE TABLE t (x UNIQUE)", *["INSERT INTO t VALUES (1)"] * 2),
    )
    assert [str(error) for error in errors if is_outage(error)] == []


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        *[(code, True) for code in ("08006", "25006", "53100", "53300", "57P01", "57P04", "58030")],
        *[
            (code, False)
            for code in ("25P02", "57014", "42P01", "23505", "22021", "40001", "XX000")
        ],
    ],
)
def test_sqlstates_of_an_outage(sqlstate: str, expected: bool) -> None:
    assert is_outage(psycopg.errors.lookup(sqlstate)()) is expected


def test_an_older_database_gains_missing_columns_and_an_id_that_stays(tmp_path: Path) -> None:
    location = locate(tmp_path / "runs.sqlite")
    engine = connections.create_pool(location)
    schema.prepare(engine, location)
    with engine.begin() as connection:
        for column in ("id", "checked_at"):
            connection.exec_driver_sql(f"ALTER TABLE duvo_meta DROP COLUMN {column}")
    first = schema.prepare(engine, location)
    assert schema.prepare(engine, location) == first
    with engine.begin() as connection:
        assert connection.execute(schema.check(first)).rowcount == 1
        assert connection.execute(schema.check("another")).rowcount == 0
        columns = [column["name"] for column in sa.inspect(connection).get_columns("duvo_meta")]
    engine.dispose()
    assert columns == ["version", "id", "checked_at"]


def test_a_new_connection_to_a_file_in_the_place_of_the_database_is_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs.sqlite"
    database = Database(locate(file))
    other = tmp_path / "other.sqlite"
    pool = connections.create_pool(locate(other))
    pool.connect().close()
    pool.dispose()
    other.replace(file)
    database.engine.dispose()
    with pytest.raises(DatabaseReplaced, match="removed or replaced"):
        database.transact(lambda connection: None)
    file.unlink()
    with pytest.raises(DatabaseReplaced, match="removed or replaced"):
        database.transact(lambda connection: None)
    database.close()
