"""A server does nothing that must not happen twice while the others may miss it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("dbos")

from duvo.local._cluster import cluster
from duvo.local._notifier import Notifier


class Host:
    def __init__(self) -> None:
        self.notifier = Notifier()

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(function, *arguments)


class Presence:
    def __init__(self, engine: Any, heard: Any, connected: Any, beaten: Any):
        self.beaten = beaten
        self.is_in_touch = False


class Store:
    def separate_engine(self) -> None:
        return None


async def goes_on(asking: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return asking.done()


def test_what_must_not_happen_twice_waits_for_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Presence] = []

    def make(*arguments: Any) -> Presence:
        made.append(Presence(*arguments))
        return made[-1]

    monkeypatch.setattr(cluster, "Presence", make)

    async def main() -> None:
        sharing = cluster.Sharing(Host(), Store())  # type: ignore[arg-type]
        [presence] = made
        asking = asyncio.create_task(sharing.while_in_touch())
        assert not await goes_on(asking)
        # One that came too late.
        presence.beaten()
        assert not await goes_on(asking)
        presence.is_in_touch = True
        assert not await goes_on(asking)
        presence.beaten()
        assert await goes_on(asking)
        assert await goes_on(asyncio.create_task(sharing.while_in_touch()))

    asyncio.run(main())
