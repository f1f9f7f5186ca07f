"""A client belongs to one event loop and to one process."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI

REFUSED = "^" + re.escape("this AsyncClient belongs to another event loop; create one in each loop")


async def first(iterator: Any) -> Any:
    return await anext(iterator)


USES: dict[str, Callable[[duvo.AsyncClient, str], Any]] = {
    "request": lambda client, run_id: client.runs.get(run_id),
    "wait": lambda client, run_id: client.runs.run(run_id).wait(),
    "messages": lambda client, run_id: first(client.runs.run(run_id).messages()),
    "map": lambda client, run_id: first(client.runs.map(AGENT, ["a"])),
    "aclose": lambda client, run_id: client.aclose(),
}


@pytest.mark.parametrize("name", USES)
def test_use_from_a_second_loop_is_refused(fake_api: FakeAPI, name: str) -> None:
    run_id = fake_api.start()
    client = duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url, team_id=TEAM)

    async def use() -> None:
        await client.runs.get(run_id)
        await client.aclose()

    asyncio.run(use())
    count = len(fake_api.requests)

    async def use_again() -> None:
        with pytest.raises(duvo.ConfigError, match=REFUSED):
            await USES[name](client, run_id)

    asyncio.run(use_again())
    assert len(fake_api.requests) == count


def test_an_iterator_is_not_continued_in_a_second_loop(fake_api: FakeAPI) -> None:
    for _ in range(150):
        fake_api.start()
    client = duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url, team_id=TEAM)
    runs = client.runs.list()

    async def read_a_page() -> None:
        for _ in range(100):
            await anext(runs)
        await client.aclose()

    async def read_another() -> None:
        with pytest.raises(duvo.ConfigError, match=REFUSED):
            await anext(runs)

    asyncio.run(read_a_page())
    asyncio.run(read_another())


def test_tasks_of_one_loop_share_a_client(fake_api: FakeAPI) -> None:
    run_id = fake_api.start()

    async def use() -> list[str]:
        async with duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url) as client:
            runs = await asyncio.gather(*(client.runs.get(run_id) for _ in range(20)))
            teams = await asyncio.gather(*(client.find_team_id() for _ in range(20)))
            assert set(teams) == {TEAM}
            return [run.status for run in runs]

    assert asyncio.run(use()) == ["running"] * 20
    assert fake_api.count("GET", "/teams") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
async def test_objects_of_an_async_client_that_send_cannot_be_copied_or_pickled(
    fake_api: FakeAPI, client: duvo.AsyncClient, copied: Callable[[Any], Any]
) -> None:
    run = await client.runs.get(fake_api.start())
    for thing in (client, client.runs, client.agents, run, client.runs.run("r")):
        with pytest.raises(TypeError, match="an AsyncClient cannot be copied or pickled"):
            copied(thing)


@pytest.mark.anyio
async def test_a_second_task_on_an_iterator_is_refused(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    fake_api.headers["duvo-long-poll"] = "25"
    async with client.runs.run(fake_api.start()).messages(follow=True) as messages:
        task = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0.1)
        with pytest.raises(RuntimeError, match="another task is already iterating"):
            await anext(messages)
        await messages.aclose()
        with pytest.raises(StopAsyncIteration):
            await task
