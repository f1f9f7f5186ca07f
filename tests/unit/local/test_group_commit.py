"""What comes together is committed together, and what fails fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from duvo.local._database import schema
from duvo.local._database.database import GivenUp, Store
from duvo.local._database.location import locate
from duvo.local._execution.group_commit import GroupCommit

idempotency = schema.idempotency


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database in a file."""
    store = Store(locate(tmp_path / "runs.sqlite"))
    yield store
    store.close()


class Held:
    """A group commit whose thread is kept busy until `go`."""

    def __init__(self, store: Store):
        self.rung: list[str] = []
        self.commits = 0
        self.group = GroupCommit(store, self.rung.append)
        self._go = threading.Event()
        sa.event.listen(store.engine, "commit", self._count)
        self.holding = asyncio.create_task(self.group.do(lambda _: self._go.wait(10), None))

    def _count(self, connection: Any) -> None:
        self.commits += 1

    async def go(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self._go.set()
        await self.holding
        self.commits = 0


def keep(key: str) -> Callable[[sa.Connection], str]:
    def work(connection: sa.Connection) -> str:
        connection.execute(idempotency.insert().values(key=key, request_hash="", created_at=0))
        return key

    return work


def kept(store: Store) -> list[str]:
    return sorted(store.transact(lambda on: on.scalars(sa.select(idempotency.c.key)).all()))


def within(store: Store, test: Callable[[Held], Awaitable[None]]) -> None:
    async def main() -> None:
        held = Held(store)
        try:
            await test(held)
        finally:
            held.group.close()

    asyncio.run(main())


def test_what_came_together_is_one_transaction(store: Store) -> None:
    async def test(held: Held) -> None:
        asked = [asyncio.create_task(held.group.do(keep(key), f"run {key}")) for key in "abc"]
        await held.go()
        assert await asyncio.gather(*asked) == ["a", "b", "c"]
        assert held.commits == 1
        assert held.rung == ["run a", "run b", "run c"]

    within(store, test)
    assert kept(store) == ["a", "b", "c"]


def test_a_transaction_does_not_grow_without_end(store: Store) -> None:
    async def test(held: Held) -> None:
        asked = [asyncio.create_task(held.group.do(keep(f"{n:03}"), None)) for n in range(60)]
        await held.go()
        assert await asyncio.gather(*asked) == [f"{n:03}" for n in range(60)]
        assert held.commits == 3

    within(store, test)


def test_what_fails_fails_alone(store: Store) -> None:
    def fail(connection: sa.Connection) -> None:
        keep("lost")(connection)
        raise LookupError("not here")

    async def test(held: Held) -> None:
        works = [(keep("a"), "run a"), (fail, "run b"), (keep("a"), "run c"), (keep("d"), "run d")]
        asked = [asyncio.create_task(held.group.do(work, run)) for work, run in works]
        await held.go()
        a, failed, again, d = await asyncio.gather(*asked, return_exceptions=True)
        assert (a, d) == ("a", "d")
        assert isinstance(failed, LookupError)
        assert isinstance(again, sa.exc.IntegrityError)
        assert held.rung == ["run a", "run d"]

    within(store, test)
    assert kept(store) == ["a", "d"]


def test_what_would_end_the_thread_fails_alone_too(store: Store) -> None:
    class Odd(BaseException):
        pass

    def leave(connection: sa.Connection) -> None:
        raise Odd

    async def test(held: Held) -> None:
        works: list[Callable[[sa.Connection], Any]] = [leave, keep("a")]
        asked = [asyncio.ensure_future(held.group.do(work, None)) for work in works]
        await held.go()
        done, _ = await asyncio.wait(asked, timeout=10)
        assert len(done) == 2
        assert isinstance(asked[0].exception(), Odd)
        assert await held.group.do(keep("b"), None) == "b"

    within(store, test)
    assert kept(store) == ["a", "b"]


def test_what_was_called_off_before_it_began_is_not_done(store: Store) -> None:
    async def test(held: Held) -> None:
        asked = [asyncio.create_task(held.group.do(keep(key), None)) for key in "ab"]
        await asyncio.sleep(0)
        asked[0].cancel()
        await held.go()
        assert await asked[1] == "b"

    within(store, test)
    assert kept(store) == ["b"]


def test_what_was_called_off_while_it_was_done_rings(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: sa.Connection) -> str:
        begun.set()
        go_on.wait(10)
        return keep("a")(connection)

    async def test(held: Held) -> None:
        await held.go()
        asked = asyncio.create_task(held.group.do(work, "run a"))
        await asyncio.to_thread(begun.wait, 10)
        asked.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await held.group.do(keep("b"), "run b")
        assert held.rung == ["run a", "run b"]

    within(store, test)
    assert kept(store) == ["a", "b"]


def test_nothing_begins_after_the_close(store: Store) -> None:
    async def test(held: Held) -> None:
        await held.go()
        held.group.close()
        with pytest.raises(GivenUp):
            await held.group.do(keep("a"), None)

    within(store, test)
    assert kept(store) == []
