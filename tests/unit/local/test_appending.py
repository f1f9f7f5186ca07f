"""Appending to a conversation: without gaps, at rising times, once."""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from duvo.local._database.database import Database
from duvo.local._database.location import locate
from duvo.local._store import appending, commands, counters, entries, queries, turns
from duvo.local.examples import talker


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database in a file."""
    database = Database(locate(tmp_path / "runs.sqlite"))
    yield database
    database.close()


@pytest.fixture
def run_id(database: Database) -> str:
    """A run in the database, started by a message."""
    run_id = str(uuid.uuid4())

    def start(connection: sa.Connection) -> None:
        commands.start(
            connection, talker, run_id=run_id, message="hi", sandbox_id=None, webhook_url=None
        )

    database.transact(start)
    return run_id


def say(database: Database, run_id: str, op: int, turn: int = 1) -> bool:
    entry = entries.assistant_text(f"text {op}")
    return database.transact(lambda c: appending.append_op(c, run_id, turn, op, entry)) is not None


def times(database: Database, run_id: str) -> list[str]:
    page = database.transact(lambda c: queries.page(c, run_id, 0, 50)).body
    assert page["total"] == len(page["messages"])
    return [message["timestamp"] for message in page["messages"]]


def test_times_rise_when_the_clock_stops_or_is_set_back(
    database: Database, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = appending.unix_ms()
    for op, moment in enumerate([now, now, now - 60_000, now + 5, now + 5], start=1):
        monkeypatch.setattr(appending, "unix_ms", lambda moment=moment: moment)
        assert say(database, run_id, op)
    found = times(database, run_id)
    assert len(set(found)) == 6
    assert found == sorted(found)


def test_a_recorded_operation_is_not_appended_again(database: Database, run_id: str) -> None:
    assert say(database, run_id, 1)
    assert not say(database, run_id, 1)
    assert say(database, run_id, 2)
    assert not say(database, run_id, 1)
    assert len(times(database, run_id)) == 3


def test_an_earlier_turn_and_a_stopped_turn_append_nothing(database: Database, run_id: str) -> None:
    assert say(database, run_id, 1)
    database.transact(lambda c: commands.stop(c, run_id))
    with pytest.raises(appending.TurnEnded):
        say(database, run_id, 2)
    database.transact(lambda c: commands.post(c, run_id, "again", lambda *delivery: None))
    with pytest.raises(appending.TurnEnded):
        say(database, run_id, 2)
    assert say(database, run_id, 2, turn=2)
    assert len(times(database, run_id)) == 5


def test_a_recovered_turn_starts_from_the_same_state(database: Database, run_id: str) -> None:
    def post(text: str) -> None:
        database.transact(lambda c: commands.post(c, run_id, text, lambda *delivery: None))

    post("before it began")
    first = database.transact(lambda c: turns.begin(c, run_id, 1, {talker.id}))
    post("after it began")
    assert database.transact(lambda c: turns.begin(c, run_id, 1, {talker.id})) == first
    assert (first.message, first.op) == ("hi", 1)
    texts, seq = database.transact(lambda c: turns.posted_since(c, run_id, first.inbox))
    assert texts == ["before it began", "after it began"]
    assert database.transact(lambda c: turns.posted_since(c, run_id, seq)) == ([], seq)


def test_unixepoch_knows_subsec_in_every_sqlite(database: Database) -> None:
    seconds = database.transact(lambda c: c.scalar(sa.text("SELECT unixepoch('subsec')")))
    assert seconds == pytest.approx(appending.unix_ms() / 1000, abs=60)


def test_a_transaction_is_repeated_on_a_locked_database(database: Database, run_id: str) -> None:
    tries = []

    def work(connection: sa.Connection) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise sa.exc.OperationalError(
                "UPDATE", {}, sqlite3.OperationalError("database is locked")
            )
        return "done"

    assert database.transact(work) == "done"
    assert len(tries) == 3


def test_a_transaction_on_a_lost_connection_is_repeated_and_counted_once(
    database: Database, run_id: str
) -> None:
    counted: Counter[str] = Counter()
    counters.on_commit(database.engine, counted.update)
    tries = []

    def work(connection: sa.Connection) -> None:
        counters.count(connection, counters.STARTED)
        tries.append(1)
        if len(tries) < 3:
            connection.invalidate()
            error = sqlite3.OperationalError("disk I/O error")
            raise sa.exc.OperationalError("UPDATE", {}, error)

    database.transact(work)
    assert len(tries) == 3
    assert counted == {counters.STARTED: 1}


def test_a_transaction_that_fails_for_another_reason_is_not_repeated(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError):
        database.transact(lambda c: c.execute(sa.text("SELECT * FROM nothing")))
