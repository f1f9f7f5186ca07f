"""What blocks in threads that an agent asked for keeps nothing else waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from duvo.local import RunContext, Server, agent
from tests.local_api import LocalApi, wait_until

BLOCKED = 15
"""More than the engine has threads of its own."""

gate = threading.Event()
blocked = threading.Semaphore(0)


def block() -> str:
    blocked.release()
    gate.wait(60)
    return "through"


@agent("In a tool")
async def in_tool(run: RunContext) -> None:
    async def tool() -> str:
        return await asyncio.to_thread(block)

    await run.say(await run.tool("tool", {}, tool))


@agent("In the executor")
async def in_executor(run: RunContext) -> None:
    async def tool() -> str:
        return await asyncio.get_running_loop().run_in_executor(None, block)

    await run.say(await run.tool("tool", {}, tool))


@agent("In a task")
async def in_task(run: RunContext) -> None:
    async def tool() -> str:
        return await asyncio.create_task(asyncio.to_thread(block))

    await run.say(await run.tool("tool", {}, tool))


@agent("Beside its tools")
async def beside(run: RunContext) -> None:
    await run.say(await asyncio.to_thread(block))


@agent("Plain")
async def plain(run: RunContext) -> None:
    await run.say(str(await run.tool("add", {}, lambda: 3)))


@pytest.fixture
def api() -> Iterator[LocalApi]:
    gate.clear()
    with Server([in_tool, in_executor, in_task, beside, plain], port=0) as server:
        api = LocalApi.of(server)
        yield api
        gate.set()
        api.close()


@pytest.mark.parametrize("name", ["In a tool", "In the executor", "In a task", "Beside its tools"])
def test_threads_that_block_keep_no_other_run_waiting(api: LocalApi, name: str) -> None:
    runs = [api.start(name) for _ in range(BLOCKED)]
    for _ in runs:
        assert blocked.acquire(timeout=20)
    answered = api.start("Plain")
    assert api.wait_for_end(answered)["run"]["status"] == "completed"
    gate.set()
    for run_id in runs:
        api.wait_for_end(run_id)
        assert api.texts(run_id) == ["through"]


def test_a_thread_that_hangs_does_not_hold_the_close_up() -> None:
    gate.clear()
    server = Server([in_tool], port=0)
    server.start()
    api = LocalApi.of(server)
    api.start("In a tool")
    assert blocked.acquire(timeout=20)
    api.close()
    server.close(timeout=20)
    wait_until(lambda: "duvo-engine" not in {one.name for one in threading.enumerate()}, 20, "")
    gate.set()
