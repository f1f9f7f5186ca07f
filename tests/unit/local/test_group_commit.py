"""Writes that arrive together share a transaction; one that fails, fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from duvo.local._database import schema
from duvo.local._database.database import Database, EngineClosed
from duvo.local._database.location import locate
from duvo.local._execution.group_commit import GroupCommit

idempotency = schema.idempotency


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database in a file."""
    database = Database(locate(tmp_path / "runs.sqlite"))
    yield database
    database.close()


class BusyGroupCommit:
    """A group commit whose thread is inside a first transaction until `release`.

    Attributes:
        notified: the runs that were notified, in order.
        commits: the number of transactions committed, the first one included.
    """

    def __init__(self, database: Database):
        self.notified: list[str] = []
        self.commits = 0
        self.group = GroupCommit(database, self.notified.append)
        self._is_busy, self._may_continue = threading.Event(), threading.Event()
        sa.event.listen(database.engine, "commit", self._count)

    def _count(self, connection: Any) -> None:
        self.commits += 1

    async def occupy(self) -> None:
        def work(connection: sa.Connection) -> None:
            self._is_busy.set()
            assert self._may_continue.wait(60)

        self._first = asyncio.create_task(self.group.commit(work))
        # Until then the thread could take later writes into the first transaction.
        assert await asyncio.to_thread(self._is_busy.wait, 60)

    async def release(self) -> None:
        # Lets the tasks that were just created queue their writes.
        await asyncio.sleep(0)
        self._may_continue.set()
        await self._first


def insert(key: str) -> Callable[[sa.Connection], str]:
    def work(connection: sa.Connection) -> str:
        connection.execute(idempotency.insert().values(key=key, request_hash="", created_at=0))
        return key

    return work


def inserted(database: Database) -> list[str]:
    return sorted(database.transact(lambda c: c.scalars(sa.select(idempotency.c.key)).all()))


def run_busy(database: Database, test: Callable[[BusyGroupCommit], Awaitable[None]]) -> None:
    async def main() -> None:
        busy = BusyGroupCommit(database)
        try:
            await busy.occupy()
            await test(busy)
        finally:
            busy.group.close()

    asyncio.run(main())


def test_writes_that_arrive_during_a_transaction_share_the_next(database: Database) -> None:
    async def test(busy: BusyGroupCommit) -> None:
        writes = [asyncio.create_task(busy.group.commit(insert(k), f"run {k}")) for k in "abc"]
        await busy.release()
        assert await asyncio.gather(*writes) == ["a", "b", "c"]
        assert busy.commits == 2
        assert busy.notified == ["run a", "run b", "run c"]

    run_busy(database, test)
    assert inserted(database) == ["a", "b", "c"]


def test_a_transaction_has_at_most_25_writes(database: Database) -> None:
    async def test(busy: BusyGroupCommit) -> None:
        keys = [f"{number:03}" for number in range(60)]
        writes = [asyncio.create_task(busy.group.commit(insert(key))) for key in keys]
        await busy.release()
        assert await asyncio.gather(*writes) == keys
        assert busy.commits == 1 + 3

    run_busy(database, test)


def test_a_write_that_fails_leaves_the_others_committed(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        insert("lost")(connection)
        raise LookupError("not here")

    database.transact(insert("a"))

    async def test(busy: BusyGroupCommit) -> None:
        works = [(insert("b"), "run b"), (fail, "run c"), (insert("a"), "run a")]
        works.append((insert("d"), "run d"))
        writes = [asyncio.create_task(busy.group.commit(work, run)) for work, run in works]
        await busy.release()
        b, failed, duplicate, d = await asyncio.gather(*writes, return_exceptions=True)
        assert (b, d) == ("b", "d")
        assert isinstance(failed, LookupError)
        assert isinstance(duplicate, sa.exc.IntegrityError)
        # Several threads: in any order.
        assert sorted(busy.notified) == ["run b", "run d"]

    run_busy(database, test)
    assert inserted(database) == ["a", "b", "d"]


def test_a_base_exception_fails_its_write_only(database: Database) -> None:
    class Odd(BaseException):
        pass

    def leave(connection: sa.Connection) -> None:
        raise Odd

    async def test(busy: BusyGroupCommit) -> None:
        works: list[Callable[[sa.Connection], Any]] = [leave, insert("a")]
        writes = [asyncio.ensure_future(busy.group.commit(work)) for work in works]
        await busy.release()
        done, _ = await asyncio.wait(writes, timeout=60)
        assert len(done) == 2
        assert isinstance(writes[0].exception(), Odd)
        assert await busy.group.commit(insert("b")) == "b"

    run_busy(database, test)
    assert inserted(database) == ["a", "b"]


def test_a_write_cancelled_before_its_transaction_is_not_done(database: Database) -> None:
    async def test(busy: BusyGroupCommit) -> None:
        writes = [asyncio.create_task(busy.group.commit(insert(key))) for key in "ab"]
        await asyncio.sleep(0)
        writes[0].cancel()
        await busy.release()
        assert await writes[1] == "b"

    run_busy(database, test)
    assert inserted(database) == ["b"]


def test_a_write_cancelled_during_its_transaction_is_notified(database: Database) -> None:
    begun, may_continue = threading.Event(), threading.Event()

    def work(connection: sa.Connection) -> str:
        begun.set()
        assert may_continue.wait(60)
        return insert("a")(connection)

    async def test(busy: BusyGroupCommit) -> None:
        await busy.release()
        write = asyncio.create_task(busy.group.commit(work, "run a"))
        assert await asyncio.to_thread(begun.wait, 60)
        write.cancel()
        await asyncio.sleep(0)
        may_continue.set()
        await busy.group.commit(insert("b"), "run b")
        assert busy.notified == ["run a", "run b"]

    run_busy(database, test)
    assert inserted(database) == ["a", "b"]


def test_a_write_after_close_is_refused(database: Database) -> None:
    async def test(busy: BusyGroupCommit) -> None:
        await busy.release()
        busy.group.close()
        with pytest.raises(EngineClosed):
            await busy.group.commit(insert("a"))

    run_busy(database, test)
    assert inserted(database) == []
