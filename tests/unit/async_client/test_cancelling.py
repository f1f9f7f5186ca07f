"""Cancelling ends what a task waits for at once, leaks nothing, and leaves the client usable."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, FakeAPI, ReceivedRequest
from tests.support.clocks import LongPauses
from tests.unit.async_client.conftest import Held, connections, until

pytestmark = pytest.mark.anyio

Action = Callable[[duvo.AsyncClient, str], Awaitable[Any]]


async def items(iterator: Any) -> list[Any]:
    return [item async for item in iterator]


async def map_in_block(client: duvo.AsyncClient, run_id: str) -> None:
    async with client.runs.map(AGENT, ["a", "b"]) as results:
        await items(results)


ACTIONS: dict[str, Action] = {
    "follow": lambda client, run_id: items(client.runs.run(run_id).messages(follow=True)),
    "follow with a deadline": lambda client, run_id: items(
        client.runs.run(run_id).messages(follow=True, timeout=60)
    ),
    "wait": lambda client, run_id: client.runs.run(run_id).wait(),
    "wait with a deadline": lambda client, run_id: client.runs.run(run_id).wait(timeout=60),
    "request": lambda client, run_id: client.runs.get(run_id),
    "list": lambda client, run_id: items(client.runs.list()),
    "watch": lambda client, run_id: items(client.runs.watch([run_id])),
    "as_completed": lambda client, run_id: items(client.runs.as_completed([run_id])),
    "map": map_in_block,
}


def holds_everything(seen: ReceivedRequest) -> bool:
    return True


@pytest.mark.parametrize("name", ACTIONS)
async def test_a_cancelled_task_ends_its_held_request_at_once(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held, name: str
) -> None:
    run_id = fake_api.start()
    held.holds = holds_everything
    task = asyncio.ensure_future(ACTIONS[name](client, run_id))
    await held.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)  # the server holds it for 30 s
    await until(lambda: connections(fake_api) == 0)
    held.release.set()
    assert (await client.runs.get(run_id)).id == run_id
    assert connections(fake_api) == 1


@pytest.mark.parametrize("name", ["follow", "wait", "watch", "as_completed", "map"])
async def test_a_cancelled_task_ends_its_pause_between_polls_at_once(
    fake_api: FakeAPI, client: duvo.AsyncClient, name: str
) -> None:
    run_id = fake_api.start()
    client._driver.api.clock = clock = LongPauses()
    task = asyncio.ensure_future(ACTIONS[name](client, run_id))
    await until(clock.is_asleep.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    await client.runs.get(run_id)


@pytest.mark.parametrize("name", ["follow", "wait", "request", "map"])
async def test_an_outer_timeout_ends_a_request(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held, name: str
) -> None:
    run_id = fake_api.start()
    held.holds = holds_everything
    began = time.monotonic()
    if sys.version_info >= (3, 11):
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.3):
                await ACTIONS[name](client, run_id)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(ACTIONS[name](client, run_id), 0.3)
    with anyio.move_on_after(0.3) as scope:
        await ACTIONS[name](client, run_id)
    assert scope.cancelled_caught
    assert time.monotonic() - began < 20  # the server holds each for 30 s
    await until(lambda: connections(fake_api) == 0)
    held.release.set()
    await client.runs.get(run_id)


async def test_a_follow_continues_after_a_cancellation_where_it_was(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "first")
    async with client.runs.run(run_id).messages(follow=True) as messages:
        assert (await anext(messages)).content == "first"
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(messages), 0.2)
        fake_api.say(run_id, "second")
        fake_api.end(run_id)
        held.release.set()
        assert [message.content async for message in messages] == ["second"]


async def test_a_pause_that_is_cancelled_repeatedly_ends_on_time(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    messages = client.runs.run(run_id).messages(follow=True)
    deadline = time.monotonic() + 60
    # On a busy machine the first requests may need longer.
    patience = 0.1
    is_said = False
    while time.monotonic() < deadline:
        try:
            assert (await asyncio.wait_for(anext(messages), patience)).content == "late"
            break
        except asyncio.TimeoutError:
            if len(fake_api.requests) < 2:
                patience *= 1.3
            elif not is_said:
                patience = 0.1
                is_said = True
                fake_api.say(run_id, "late")
    else:
        raise AssertionError("the pause never ended")


async def test_a_change_that_was_cancelled_is_not_sent_again(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    held.holds = lambda seen: seen.method == "POST"
    messages = client.runs.run(run_id).messages(follow=True, on_request="approve")
    assert (await anext(messages)).is_pending_request
    task = asyncio.ensure_future(anext(messages))
    await held.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert held.count == 1
    fake_api.end(run_id)
    held.release.set()
    assert [message.content async for message in messages] == []
    assert fake_api.count("POST", "/respond") == 1


@pytest.mark.long
async def test_the_team_is_found_although_the_task_that_was_finding_it_was_cancelled(
    fake_api: FakeAPI, held: Held
) -> None:
    held.holds = lambda seen: seen.path == "/v2/teams"
    async with duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url) as client:
        runs = client.runs.list()
        # The task and its exception are kept, as by a task group or a debugger.
        tasks = [asyncio.ensure_future(anext(runs)), asyncio.ensure_future(client.find_team_id())]
        await held.reached()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        held.release.set()
        assert await asyncio.wait_for(client.find_team_id(), 10)
        assert [run async for run in runs] == []


async def test_a_map_under_an_anyio_scope_records_the_starts_that_were_sent(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held, tmp_path: Path
) -> None:
    held.holds = lambda seen: seen.method == "POST"
    journal = tmp_path / "journal"

    async def cancel_once_sent() -> None:
        await held.reached()
        scope.cancel()

    cancelling = asyncio.ensure_future(cancel_once_sent())
    # Every await below raises while the scope is left.
    with anyio.CancelScope() as scope:
        async with client.runs.map(AGENT, ["a"], journal=journal) as results:
            await anext(results)
    assert scope.cancelled_caught
    await cancelling
    held.release.set()
    (run_id,) = fake_api.runs
    fake_api.end(run_id)

    async def is_free() -> list[str]:
        return [result.run.id async for result in client.runs.map(AGENT, ["a"], journal=journal)]

    for _ in range(200):
        try:
            assert await is_free() == [run_id]
            break
        except duvo.JournalError:
            await asyncio.sleep(0.05)
    assert fake_api.count("POST", "/runs") == 1
    # The journal has the run, so no search was needed.
    assert not [seen for seen in fake_api.requests if "/messages?limit=10" in seen.target]


async def test_a_map_continues_after_a_cancellation_where_it_was(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held
) -> None:
    held.holds = lambda seen: seen.method == "POST"
    async with client.runs.map(AGENT, ["a", "b", "c"]) as results:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(results), 0.2)
        held.release.set()
        await until(lambda: len(fake_api.runs) == 3)
        for run_id in list(fake_api.runs):
            fake_api.end(run_id)
        assert {result.input async for result in results} == {"a", "b", "c"}
    assert fake_api.count("POST", "/runs") == 3


async def test_many_cancellations_leak_neither_connections_nor_tasks(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    fake_api.headers["duvo-long-poll"] = "25"
    run_id = fake_api.start()
    await client.runs.get(run_id)
    before = asyncio.all_tasks()
    for number in range(60):
        action = list(ACTIONS.values())[number % len(ACTIONS)]
        task = asyncio.ensure_future(action(client, run_id))
        # Cancelled at another place each time.
        for _ in range(number * 3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await until(lambda: asyncio.all_tasks() <= before)
    assert connections(fake_api) <= 2
    await client.runs.get(run_id)
