"""Without `await` nothing is read or sent; errors that need it are raised by the first `await`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo import profiles
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI

pytestmark = pytest.mark.anyio


async def items(iterator: Any) -> list[Any]:
    return [item async for item in iterator]


WITHOUT_AWAIT = """
import sys
import duvo
from duvo import AsyncClient

events = []
sys.addaudithook(
    lambda name, arguments: (
        name.startswith(("open", "socket.", "sqlite3"))
        and not str(arguments[0]).endswith((".py", ".pyc"))
        and events.append((name, *arguments))
    )
)
for client in (AsyncClient(profile="work"), AsyncClient()):
    client.runs.run("r").messages(follow=True)
    client.runs.list(agent="Invoice approver", status="stopped")
    client.runs.inbox(agent="Invoice approver")
    client.runs.watch(["r"])
    client.runs.as_completed(["r"])
    client.runs.map("Invoice approver", ["a"], journal="journal")
    client.agents.list()
    repr(client)
print(events)
"""


def test_without_await_no_file_is_opened_and_nothing_is_sent(tmp_path: Path) -> None:
    profiles.add("work", "dv_work", "https://work.example")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_AWAIT],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert not (tmp_path / "journal").exists()


async def test_a_missing_key_is_raised_by_the_first_request_until_there_is_one(
    fake_api: FakeAPI,
) -> None:
    async with duvo.AsyncClient(team_id=TEAM) as client:
        assert repr(client) == "<AsyncClient (profile file not read yet)>"
        with pytest.raises(duvo.NotLoaded, match="send a request first"):
            _ = client.settings
        for _ in range(2):
            with pytest.raises(duvo.MissingCredential, match="DUVO_API_KEY"):
                await client.runs.get(AGENT)
        with pytest.raises(duvo.MissingCredential):
            await anext(client.runs.list())
        profiles.add("work", KEY, fake_api.base_url)
        assert (await client.runs.get(fake_api.start())).status == "running"
        assert (client.base_url, client.settings.profile) == (fake_api.base_url, "work")


async def test_a_profile_is_read_by_the_first_request(fake_api: FakeAPI) -> None:
    client = duvo.AsyncClient(profile="work")
    profiles.add("work", KEY, fake_api.base_url, TEAM)
    async with client:
        assert await client.find_team_id() == TEAM
        assert await items(client.runs.list()) == []


@pytest.mark.parametrize("needs_profile", [False, True])
async def test_an_async_client_reads_the_environment_at_once(
    fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch, needs_profile: bool
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", KEY)
    if needs_profile:
        profiles.add("work", "dv_work", fake_api.base_url)
    else:
        monkeypatch.setenv("DUVO_API_BASE_URL", fake_api.base_url)
    client = duvo.AsyncClient()
    monkeypatch.setenv("DUVO_API_KEY", "dv_another")
    async with client:
        assert await client.find_team_id() == TEAM
    assert client.base_url == fake_api.base_url
    assert fake_api.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_the_team_of_a_profile_goes_with_a_key_of_the_environment(
    fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.add("work", "dv_work", "https://work.example", "team-work")
    monkeypatch.setenv("DUVO_API_KEY", KEY)
    async with duvo.AsyncClient(base_url=fake_api.base_url) as client:
        assert await client.find_team_id() == "team-work"
    assert fake_api.requests == []


FIRST_ITEMS: dict[str, Callable[[duvo.AsyncClient, str], Any]] = {
    "map": lambda client, agent: client.runs.map(agent, ["a"]),
    "list": lambda client, agent: client.runs.list(agent=agent),
    "inbox": lambda client, agent: client.runs.inbox(agent=agent),
}


@pytest.mark.parametrize("name", FIRST_ITEMS)
async def test_an_unknown_agent_is_raised_by_the_first_item(
    fake_api: FakeAPI, client: duvo.AsyncClient, name: str
) -> None:
    iterator = FIRST_ITEMS[name](client, "Nobody")
    assert fake_api.requests == []
    with pytest.raises(duvo.NotFound, match="no agent is called 'Nobody'"):
        await anext(iterator)
    found = FIRST_ITEMS[name](client, "Invoice approver")
    await found.aclose()


REQUESTS: dict[str, Callable[[duvo.AsyncClient], Awaitable[Any]]] = {
    "start": lambda client: client.runs.start(AGENT),
    "list": lambda client: items(client.runs.list()),
    "agents": lambda client: items(client.agents.list()),
    "map": lambda client: items(client.runs.map(AGENT, ["a"])),
    "find_team_id": lambda client: client.find_team_id(),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_an_ambiguous_team_is_raised_by_the_first_request(
    fake_api: FakeAPI, name: str
) -> None:
    fake_api.teams.append({"id": "other", "name": "Sales", "organization_id": None})
    async with duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url) as client:
        with pytest.raises(duvo.ConfigError, match=r"2 teams.*Finance.*Sales"):
            await REQUESTS[name](client)


async def test_a_journal_that_cannot_be_used_is_raised_by_the_first_item(
    client: duvo.AsyncClient, tmp_path: Path
) -> None:
    async with client.runs.map(AGENT, ["a"], journal=tmp_path) as results:
        with pytest.raises(duvo.JournalError, match="directory"):
            await anext(results)


async def test_a_journal_in_use_is_raised_by_the_first_item(
    fake_api: FakeAPI, client: duvo.AsyncClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    async with client.runs.map(AGENT, ["a"], journal=journal) as first:
        fake_api.after = lambda seen: [fake_api.end(run_id) for run_id in fake_api.runs] and None
        await anext(first)
        with pytest.raises(duvo.JournalError, match="in use"):
            await anext(client.runs.map(AGENT, ["a"], journal=journal))
    async with client.runs.map(AGENT, ["a"], journal=journal) as again:
        assert [result.input async for result in again] == ["a"]
    assert len(fake_api.runs) == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda runs: runs.list(since="yesterday"), "not a time"),
        (lambda runs: runs.watch("one"), "not a single run"),
        (lambda runs: runs.map(AGENT, "text"), "not text"),
        (lambda runs: runs.map(AGENT, 5), "another iterable"),
        (lambda runs: runs.map(AGENT, [], concurrency=0), "concurrency"),
        (lambda runs: runs.run("r").messages(on_request="aprove"), "on_request must be .*'aprove'"),
        (
            lambda runs: runs.as_completed(["r"], on_request="aprove"),
            "on_request must be .*'aprove'",
        ),
    ],
)
def test_invalid_arguments_of_an_async_client_are_raised_at_once(
    call: Callable[[Any], Any], says: str
) -> None:
    with pytest.raises(duvo.ConfigError, match=says):
        call(duvo.AsyncClient(api_key=KEY).runs)
