"""A server does nothing that must not happen twice while the others may miss it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("dbos")

from duvo.local import _sharing
from duvo.local._notifier import Notifier


class Host:
    def __init__(self) -> None:
        self.notifier = Notifier()

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(function, *arguments)


class Presence:
    def __init__(self, engine: Any, heard: Any, connected: Any, disconnected: Any):
        self.connected, self.disconnected = connected, disconnected
        self.is_fresh = True


class Store:
    def separate_engine(self) -> None:
        return None


async def goes_on(sharing: _sharing.Sharing) -> bool:
    asking = asyncio.create_task(sharing.while_in_touch())
    for _ in range(5):
        await asyncio.sleep(0)
    went_on = asking.done()
    asking.cancel()
    return went_on


def test_what_must_not_happen_twice_waits_for_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Presence] = []

    def make(*arguments: Any) -> Presence:
        made.append(Presence(*arguments))
        return made[-1]

    monkeypatch.setattr(_sharing, "Presence", make)

    async def main() -> list[bool]:
        sharing = _sharing.Sharing(Host(), Store())  # type: ignore[arg-type]
        [presence] = made
        found = [await goes_on(sharing)]
        for change in (presence.connected, presence.disconnected, presence.connected):
            change()
            found.append(await goes_on(sharing))
        # Connected again, and taken for dead meanwhile.
        presence.is_fresh = False
        return [*found, await goes_on(sharing)]

    assert asyncio.run(main()) == [False, True, False, True, False]
