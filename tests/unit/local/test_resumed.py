"""Turns that were resumed: which of them are counted, and suspects one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import sqlalchemy as sa

from duvo.local._execution import resumed
from duvo.local._execution.resumed import Resumed

ONE, TWO = ("one", 1), ("two", 1)


class Store:
    """A database of runs, of which only resets are recorded."""

    is_shared = False

    def __init__(self) -> None:
        self.resets: list[str] = []
        self.accepts = asyncio.Event()
        self.accepts.set()
        self.failures: list[Exception] = []

    async def transact(self, work: Callable[[sa.Connection], None]) -> None:
        await self.accepts.wait()
        if self.failures:
            raise self.failures.pop()
        self.resets += work.keywords["run_ids"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait where others need not have time to act."""
    monkeypatch.setattr(resumed, "_SETTLING", 0)
    monkeypatch.setattr(resumed, "_BATCHING", 0)


def play(scene: Callable[[Resumed, Store], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        store = Store()
        turns = Resumed(store, store.transact)  # type: ignore[arg-type]
        recording = asyncio.create_task(turns.record())
        await scene(turns, store)
        recording.cancel()

    asyncio.run(main())


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_progress_resets_a_resumed_turn_once_and_no_other() -> None:
    async def scene(turns: Resumed, store: Store) -> None:
        turns.add(ONE)
        turns.add(TWO)
        turns.progress(ONE)
        turns.progress(ONE)
        turns.progress(("three", 1))
        await _settle()
        assert store.resets == ["one"]

    play(scene)


def test_a_clean_end_resets_turns_whose_progress_was_not_recorded_yet() -> None:
    async def scene(turns: Resumed, store: Store) -> None:
        turns.add(ONE)
        turns.progress(ONE)
        await turns.close()
        assert store.resets == ["one"]

    play(scene)


def test_progress_is_recorded_after_the_database_has_refused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resumed, "_TRIAL", 0.0)

    async def scene(turns: Resumed, store: Store) -> None:
        store.failures.append(sa.exc.OperationalError("UPDATE", {}, Exception("refused")))
        turns.add(ONE)
        turns.progress(ONE)
        for _ in range(10_000):
            if store.resets:
                break
            await asyncio.sleep(0)
        assert store.resets == ["one"]

    play(scene)


def test_a_clean_end_records_progress_whose_recording_it_has_cancelled() -> None:
    async def main() -> None:
        store = Store()
        turns = Resumed(store, store.transact)  # type: ignore[arg-type]
        recording = asyncio.create_task(turns.record())
        store.accepts.clear()
        turns.add(ONE)
        turns.progress(ONE)
        await _settle()
        recording.cancel()
        await _settle()
        store.accepts.set()
        await turns.close()
        assert store.resets == ["one"]

    asyncio.run(main())


def test_a_turn_that_lived_for_long_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumed, "_TRIAL", 0.0)

    async def scene(turns: Resumed, store: Store) -> None:
        turns.add(ONE)
        while not store.resets:
            await asyncio.sleep(0)
        assert store.resets == ["one"]

    play(scene)


def test_the_next_suspect_is_resumed_once_progress_of_the_first_is_recorded() -> None:
    async def scene(turns: Resumed, store: Store) -> None:
        await turns.wait_until_alone(ONE)
        second = asyncio.create_task(turns.wait_until_alone(TWO))
        await _settle()
        assert not second.done()
        store.accepts.clear()
        turns.progress(ONE)
        await _settle()
        assert not second.done()
        store.accepts.set()
        await second
        assert store.resets == ["one"]

    play(scene)


def test_a_suspect_that_is_stopped_while_it_waits_lets_others_pass() -> None:
    async def scene(turns: Resumed, store: Store) -> None:
        await turns.wait_until_alone(ONE)
        second = asyncio.create_task(turns.wait_until_alone(TWO))
        third = asyncio.create_task(turns.wait_until_alone(("three", 1)))
        await _settle()
        second.cancel()
        turns.progress(ONE)
        await third

    play(scene)
