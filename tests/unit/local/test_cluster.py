"""A server waits for its lease before what must not happen twice, and broadcasts what it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("dbos")

from duvo.local._cluster import cluster
from duvo.local._cluster.broadcasts import CHANNEL, Broadcast
from duvo.local._notifier import Notifier


class Host:
    def __init__(self) -> None:
        self.notifier = Notifier()

    def call_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(function, *arguments)


class Heartbeat:
    def __init__(self, engine: Any, verify: Any, on_broadcast: Any, on_connect: Any, on_beat: Any):
        self.on_beat = on_beat
        self.has_lease = False


class Database:
    def create_unpooled(self) -> None:
        return None

    def verify(self, connection: object) -> None:
        pass


async def returns_soon(task: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


def test_waiting_for_the_lease_ends_with_a_heartbeat_that_grants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Heartbeat] = []

    def make(*arguments: Any, **callbacks: Any) -> Heartbeat:
        made.append(Heartbeat(*arguments, **callbacks))
        return made[-1]

    monkeypatch.setattr(cluster, "Heartbeat", make)

    async def main() -> None:
        server = cluster.Cluster(Host(), Database())  # type: ignore[arg-type]
        [heartbeat] = made
        waiting = asyncio.create_task(server.wait_for_lease())
        assert not await returns_soon(waiting)
        # A heartbeat that came too late.
        heartbeat.on_beat()
        assert not await returns_soon(waiting)
        heartbeat.has_lease = True
        assert not await returns_soon(waiting)
        heartbeat.on_beat()
        assert await returns_soon(waiting)
        assert await returns_soon(asyncio.create_task(server.wait_for_lease()))

    asyncio.run(main())


def test_a_broadcast_has_the_form_that_servers_of_other_versions_read() -> None:
    broadcast = Broadcast("a", changed=("run",), ended=("run", 2), left=True)
    text = broadcast.encode()
    assert json.loads(text) == {"from": "a", "changed": ["run"], "ended": ["run", 2], "left": True}
    assert Broadcast.decode(text) == broadcast
    assert CHANNEL == "duvo"


@pytest.mark.parametrize("text", ["", "hello", "1", "{}", '{"from": "a", "changed": null}'])
def test_a_notification_of_another_program_is_ignored(text: str) -> None:
    assert Broadcast.decode(text) is None
