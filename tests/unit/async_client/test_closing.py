"""Closing an iterator or a client, from whichever task, and never closing one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo._batch.journal import Journal
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest
from tests.support.clocks import LongPauses
from tests.unit.async_client.conftest import Held, connections, until

pytestmark = pytest.mark.anyio

ITERATORS: dict[str, Callable[[duvo.AsyncClient, str], Any]] = {
    "messages": lambda client, run_id: client.runs.run(run_id).messages(follow=True),
    "watch": lambda client, run_id: client.runs.watch([run_id]),
    "as_completed": lambda client, run_id: client.runs.as_completed([run_id]),
    "map": lambda client, run_id: client.runs.map(AGENT, ["a"]),
    "list": lambda client, run_id: client.runs.list(),
    "inbox": lambda client, run_id: client.runs.inbox(),
    "agents": lambda client, run_id: client.agents.list(),
}


async def items(iterator: Any) -> list[Any]:
    return [item async for item in iterator]


@pytest.mark.parametrize("name", ITERATORS)
async def test_aclose_from_another_task_ends_a_held_request_at_once(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held, name: str
) -> None:
    held.holds = lambda seen: seen.method == "GET"
    iterator = ITERATORS[name](client, fake_api.start())
    task = asyncio.ensure_future(items(iterator))
    await held.reached()
    await asyncio.wait_for(iterator.aclose(), 20)  # the server holds it for 30 s
    assert await asyncio.wait_for(task, 20) == []
    await until(lambda: connections(fake_api) == 0)
    await iterator.aclose()
    assert await items(iterator) == []


@pytest.mark.parametrize("name", ["messages", "watch", "as_completed", "map"])
async def test_aclose_from_another_task_ends_a_pause_at_once(
    fake_api: FakeAPI, client: duvo.AsyncClient, name: str
) -> None:
    client._driver.api.clock = clock = LongPauses()
    iterator = ITERATORS[name](client, fake_api.start())
    task = asyncio.ensure_future(items(iterator))
    await until(clock.is_asleep.is_set)
    await asyncio.wait_for(iterator.aclose(), 30)
    await asyncio.wait_for(task, 30)


async def test_leaving_an_async_with_block_closes_its_iterator(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "hello")
    async with client.runs.run(run_id).messages(follow=True) as messages:
        async for _ in messages:
            break
    assert await items(messages) == []


async def test_a_task_that_is_cancelled_after_aclose_is_cancelled(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    for delay in range(12):
        messages = client.runs.run(fake_api.start()).messages(follow=True)
        task = asyncio.ensure_future(items(messages))
        await asyncio.sleep(0.1)
        await messages.aclose()
        for _ in range(delay):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_reply_that_was_sent_is_read_to_its_end_when_the_iterator_is_closed(
    fake_api: FakeAPI, client: duvo.AsyncClient, held: Held
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    held.holds = lambda seen: seen.path.endswith("/respond")
    messages = client.runs.run(run_id).messages(follow=True, on_request="approve")
    task = asyncio.ensure_future(items(messages))
    await held.reached()
    await messages.aclose()
    await asyncio.sleep(0.1)
    assert not task.done()
    held.release.set()
    assert [message.type for message in await task] == ["human_request"]
    assert connections(fake_api) == 1


async def test_a_closed_client_opens_new_connections(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    for _ in range(2):
        assert (await client.runs.get(run_id)).status == "running"
        assert connections(fake_api) == 1
        await client.aclose()
        await until(lambda: connections(fake_api) == 0)
    await client.aclose()


async def test_closing_a_client_does_not_disturb_requests_of_its_tasks(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    for delay in range(20):
        tasks = [asyncio.ensure_future(client.runs.get(run_id)) for _ in range(4)]
        for _ in range(delay * 2):
            await asyncio.sleep(0)
        await client.aclose()
        runs = await asyncio.wait_for(asyncio.gather(*tasks), 20)
        assert [run.status for run in runs] == ["running"] * 4
    await client.aclose()
    await until(lambda: connections(fake_api) == 0)


async def test_a_batch_without_references_ends_its_work(
    fake_api: FakeAPI, client: duvo.AsyncClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    fake_api.after = lambda seen: [fake_api.end(run_id) for run_id in fake_api.runs] and None
    async for _ in client.runs.map(AGENT, ["a", "b"], journal=journal, concurrency=1):
        break
    await until(lambda: not [task for task in asyncio.all_tasks() if "_work" in repr(task)])

    async def is_free() -> bool:
        try:
            assert len(await items(client.runs.map(AGENT, ["a", "b"], journal=journal))) == 2
        except duvo.JournalError:
            return False
        return True

    while not await is_free():
        await asyncio.sleep(0.01)
    assert len(fake_api.runs) == 2


async def test_a_batch_that_is_closed_while_it_opens_its_journal_closes_it(
    client: duvo.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    opening, opened = threading.Event(), threading.Event()
    kept = []

    def open_slowly(*arguments: Any) -> Journal:
        opening.set()
        assert opened.wait(20)
        kept.append(Journal(*arguments))
        return kept[-1]

    with monkeypatch.context() as patched:
        patched.setattr("duvo._batch.batch.Journal", open_slowly)
        async with client.runs.map(AGENT, ["a"], journal=journal) as results:
            task = asyncio.ensure_future(anext(results))
            await until(opening.is_set)
            task.cancel()
            await asyncio.wait([task])
            opened.set()
    assert len(kept) == 1
    # Its file would be in use.
    Journal(journal, client.base_url, TEAM, AGENT).close()


@pytest.mark.usefixtures("quick_pace")
async def test_a_batch_without_references_cancels_its_pending_decisions(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    def work(seen: ReceivedRequest) -> None:
        for run_id, run in list(fake_api.runs.items()):
            if run["status"] == "pending" and fake_api.conversations[run_id]:
                if fake_api.conversations[run_id][0]["text_content"] == "asks":
                    fake_api.ask(run_id)
                elif asked.is_set():
                    fake_api.end(run_id)

    async def decide(request: duvo.HumanRequest) -> bool:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return True

    fake_api.before = work
    async for result in client.runs.map(AGENT, ["ends", "asks"], on_request=decide):
        assert result.input == "ends"
        break
    await asyncio.wait_for(cancelled.wait(), 20)


LEFT = """
import asyncio, sys
import duvo

async def main():
    client = duvo.AsyncClient(*sys.argv[1:4])
    how, run_id, agent, file = sys.argv[4:]
    if how == "get":
        await client.runs.get(run_id)
    elif how == "never":
        client.runs.run(run_id).messages(follow=True)
        client.runs.map(agent, ["a"], journal=file)
    elif how == "break":
        async for _ in client.runs.run(run_id).messages(follow=True):
            break
    elif how == "map":
        async for _ in client.runs.map(agent, ["a", "b"], journal=file, concurrency=1):
            break
    elif how == "map kept":
        global results
        results = client.runs.map(agent, ["a", "b"], journal=file, concurrency=1)
        await anext(results)
    elif how == "task":
        global task
        task = asyncio.ensure_future(client.runs.run(run_id).wait())
        await asyncio.sleep(0.3)
    elif how == "timeout":
        try:
            await asyncio.wait_for(client.runs.run(run_id).wait(), 0.3)
        except asyncio.TimeoutError:
            pass
    elif how == "error":
        try:
            await client.runs.get("00000000-0000-4000-8000-000000000000")
        except duvo.NotFound:
            pass
    elif how == "closed":
        await client.runs.get(run_id)
        await client.aclose()

asyncio.run(main())
print("left")
"""


@pytest.mark.parametrize(
    "how",
    ["never", "get", "break", "map", "map kept", "task", "timeout", "error", "closed"],
)
def test_a_client_that_is_never_closed_gives_no_warning_but_pythons_own(
    fake_api: FakeAPI, tmp_path: Path, how: str
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "hello")
    fake_api.after = lambda seen: (
        [fake_api.end(other) for other in fake_api.runs if other != run_id] and None
    )
    arguments = [KEY, fake_api.base_url, TEAM, how, run_id, AGENT, str(tmp_path / "journal")]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", LEFT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr
    # In dev mode asyncio reports slow steps, which depend on the machine.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    warnings = [line for line in said if "Warning:" in line]
    # Python's own warnings about any connection that is not closed.
    own = ("ResourceWarning: unclosed transport", "ResourceWarning: unclosed <socket.socket")
    assert [line for line in warnings if not line.startswith(own)] == []
    for text in ("never retrieved", "never awaited", "destroyed", "duvo"):
        assert text not in "\n".join(said)
    if how in ("never", "closed"):
        assert said == []
