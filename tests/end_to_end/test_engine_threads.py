"""Blocking calls in an agent's threads delay neither other runs nor the end of the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from subprocess import PIPE

import pytest

from duvo.local import RunContext, Server, agent
from duvo.local._execution import event_loop
from duvo.local._threads import agent_code
from tests.servers.engine_api import EngineAPI

BLOCKED = 15
"""More threads than the engine itself has."""

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
def api() -> Iterator[EngineAPI]:
    gate.clear()
    with Server([in_tool, in_executor, in_task, beside, plain], port=0) as server:
        api = EngineAPI.of(server)
        yield api
        gate.set()
        api.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["In a tool", "In the executor", "In a task", "Beside its tools"])
def test_blocked_threads_of_agents_do_not_delay_other_runs(api: EngineAPI, name: str) -> None:
    runs = [api.start(name) for _ in range(BLOCKED)]
    for _ in runs:
        assert blocked.acquire(timeout=20)
    answered = api.start("Plain")
    assert api.wait_for_end(answered)["run"]["status"] == "completed"
    gate.set()
    for run_id in runs:
        api.wait_for_end(run_id)
        assert api.texts(run_id) == ["through"]


HANGING = """
import asyncio, sys, time
from duvo.local import Server, agent
from tests.servers.engine_api import EngineAPI

@agent("Hanging")
async def hanging(run):
    async def tool():
        print("hangs", flush=True)
        await asyncio.to_thread(time.sleep, 60)
    await run.tool("tool", {}, tool)

with Server([hanging], port=0, examples=False) as server:
    EngineAPI.of(server).start("Hanging")
    sys.stdin.readline()
"""


@pytest.mark.long
def test_a_process_exits_while_a_thread_of_an_agent_hangs() -> None:
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        # Otherwise it takes the whole minute.
        _, errors = process.communicate("\n", timeout=40)
    assert (process.returncode, errors) == (0, "")


def test_the_threads_of_agents_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "_MAX_AGENT_THREADS", 3)
    gate.clear()
    before = set(threading.enumerate())

    async def many() -> list[bool]:
        with agent_code(True):
            calls = [asyncio.create_task(asyncio.to_thread(gate.wait, 60)) for _ in range(8)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(set(threading.enumerate()) - before) == 3
        gate.set()
        return await asyncio.gather(*calls)

    loop = event_loop.EngineLoop()
    assert loop.run_until_complete(many()) == [True] * 8
    loop.close()
