"""Appending to a conversation: dense, rising, and once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from duvo.local._database.database import Store
from duvo.local._database.location import locate
from duvo.local._store import appending, commands, entries, queries, turns
from duvo.local.examples import talker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database in a file."""
    store = Store(locate(tmp_path / "runs.sqlite"))
    yield store
    store.close()


@pytest.fixture
def run_id(store: Store) -> str:
    """A run in it, started by a message."""
    run_id = str(uuid.uuid4())

    def start(connection: sa.Connection) -> None:
        commands.start(
            connection, talker, run_id=run_id, message="hi", sandbox_id=None, webhook_url=None
        )

    store.transact(start)
    return run_id


def say(store: Store, run_id: str, op: int, turn: int = 1) -> bool:
    entry = entries.assistant_text(f"text {op}")
    return store.transact(lambda c: appending.append_op(c, run_id, turn, op, entry)) is not None


def times(store: Store, run_id: str) -> list[str]:
    page = store.transact(lambda c: queries.page(c, run_id, 0, 50)).body
    assert page["total"] == len(page["messages"])
    return [one["timestamp"] for one in page["messages"]]


def test_times_rise_also_when_the_clock_stands_or_is_set_back(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = appending.unix_ms()
    for op, moment in enumerate([now, now, now - 60_000, now + 5, now + 5], start=1):
        monkeypatch.setattr(appending, "unix_ms", lambda moment=moment: moment)
        assert say(store, run_id, op)
    found = times(store, run_id)
    assert len(set(found)) == 6
    assert found == sorted(found)


def test_what_was_appended_is_not_appended_again(store: Store, run_id: str) -> None:
    assert say(store, run_id, 1)
    assert not say(store, run_id, 1)
    assert say(store, run_id, 2)
    assert not say(store, run_id, 1)
    assert len(times(store, run_id)) == 3


def test_an_older_turn_and_a_stopped_one_append_nothing_more(store: Store, run_id: str) -> None:
    assert say(store, run_id, 1)
    store.transact(lambda c: commands.stop(c, run_id))
    with pytest.raises(appending.TurnEnded):
        say(store, run_id, 2)
    store.transact(lambda c: commands.post(c, run_id, "again", lambda *delivery: None))
    with pytest.raises(appending.TurnEnded):
        say(store, run_id, 2)
    assert say(store, run_id, 2, turn=2)
    assert len(times(store, run_id)) == 5


def test_a_turn_begins_alike_however_often_it_is_recovered(store: Store, run_id: str) -> None:
    def post(text: str) -> None:
        store.transact(lambda c: commands.post(c, run_id, text, lambda *delivery: None))

    post("before it began")
    first = store.transact(lambda c: turns.begin(c, run_id, 1, {talker.id}))
    post("after it began")
    assert store.transact(lambda c: turns.begin(c, run_id, 1, {talker.id})) == first
    assert (first.message, first.op) == ("hi", 1)
    texts, seq = store.transact(lambda c: turns.posted_since(c, run_id, first.inbox))
    assert texts == ["before it began", "after it began"]
    assert store.transact(lambda c: turns.posted_since(c, run_id, seq)) == ([], seq)


def test_every_sqlite_tells_the_time_in_milliseconds(store: Store) -> None:
    told = store.transact(lambda c: c.scalar(sa.text("SELECT unixepoch('subsec')")))
    assert told == pytest.approx(appending.unix_ms() / 1000, abs=60)


def test_work_is_repeated_while_the_database_is_locked(store: Store, run_id: str) -> None:
    tries = []

    def work(connection: sa.Connection) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("database is locked"))
        return "done"

    assert store.transact(work) == "done"
    assert len(tries) == 3


def test_work_that_fails_for_another_reason_is_not_repeated(store: Store) -> None:
    with pytest.raises(sa.exc.OperationalError):
        store.transact(lambda c: c.execute(sa.text("SELECT * FROM nothing")))
