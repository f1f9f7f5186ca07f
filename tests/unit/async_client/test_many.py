"""Hundreds of follows in one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import psutil
import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM
from tests.unit.async_client.conftest import until
from tests.unit.async_client.holding import holding

pytestmark = [pytest.mark.anyio, pytest.mark.long]

FOLLOWS = 500
MOST_THREADS = 3


async def test_an_async_client_follows_hundreds_of_runs_with_hardly_a_thread(
    record_property: Callable[[str, object], None],
) -> None:
    with holding() as server:
        threads, memory = threading.active_count(), psutil.Process().memory_info().rss
        async with duvo.AsyncClient(api_key=KEY, base_url=server.base_url, team_id=TEAM) as client:

            async def follow(number: int) -> list[str]:
                run = client.runs.run(f"run-{number}")
                return [message.content async for message in run.messages(follow=True)]

            tasks = [asyncio.ensure_future(follow(number)) for number in range(FOLLOWS)]
            await until(lambda: server.held == FOLLOWS, 60)
            assert threading.active_count() - threads <= MOST_THREADS
            record_property("memory", psutil.Process().memory_info().rss - memory)
            # Another request does not wait for those that are held.
            run = await asyncio.wait_for(client.runs.get("another"), 10)
            assert run.status == "running"
            server.end_all()
            heard = await asyncio.wait_for(asyncio.gather(*tasks), 60)
        assert heard == [[f"run-{number} is done"] for number in range(FOLLOWS)]
        assert server.most == FOLLOWS
