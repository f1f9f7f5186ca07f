"""The session's one engine, and what a test leaves behind in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

import pytest

import duvo
from duvo.local import RunContext, Server, agent
from tests.support.command import wait_for

Serve = Callable[..., Server]

BEGUN: list[str] = []
"""Agents whose function has begun."""

ENDED: list[str] = []
"""Agents whose function was cancelled."""

SERVERS: set[str] = set()
"""The base URLs that tests have seen."""


@contextlib.contextmanager
def noted(name: str) -> Iterator[None]:
    BEGUN.append(name)
    try:
        yield
    finally:
        ENDED.append(name)


@agent("Echo")
async def echo(run: RunContext) -> None:
    await run.say(run.message or "")


@agent("Asker")
async def asker(run: RunContext) -> None:
    with noted("Asker"):
        await run.approval("Go on?")


@agent("Sleeper")
async def sleeper(run: RunContext) -> None:
    with noted("Sleeper"):
        await run.sleep(3600)


@agent("Worker")
async def worker(run: RunContext) -> None:
    with noted("Worker"):
        await run.tool("work", {}, asyncio.Event().wait)


@agent("Stubborn")
async def stubborn(run: RunContext) -> None:
    BEGUN.append("Stubborn")
    try:
        await run.sleep(3600)
    finally:
        await run.say("still here")


@pytest.fixture(autouse=True)
def no_errors_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if something was logged as an error, also while the engine was emptied."""
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_client_of_the_test_starts_a_run(duvo_engine: Serve, duvo_client: duvo.Client) -> None:
    server = duvo_engine(echo)
    run = duvo_client.runs.start("Echo", message="hello").wait(timeout=20, check=True)
    assert run.answer == "hello"
    assert duvo_client.settings.base_url == server.base_url
    SERVERS.add(server.base_url)


def test_a_program_that_makes_its_own_client_reaches_the_engine(duvo_engine: Serve) -> None:
    SERVERS.add(duvo_engine(echo).base_url)
    with duvo.Client() as client:
        assert client.runs.start("Echo", message="hello").wait(timeout=20).answer == "hello"


def test_a_program_with_an_async_client_reaches_the_engine(duvo_engine: Serve) -> None:
    duvo_engine(echo)

    async def program() -> str | None:
        async with duvo.AsyncClient() as client:
            run = await client.runs.start("Echo", message="hello")
            await run.wait(timeout=20)
            return run.answer

    assert asyncio.run(program()) == "hello"


def test_the_runs_of_earlier_tests_are_gone(duvo_client: duvo.Client) -> None:
    assert list(duvo_client.runs.list()) == []
    assert list(duvo_client.agents.list()) == []
    assert {duvo_client.settings.base_url} == SERVERS


def test_runs_may_be_left_at_work(duvo_engine: Serve, duvo_client: duvo.Client) -> None:
    duvo_engine(asker, sleeper, worker, stubborn)
    for name in ("Worker", "Sleeper", "Stubborn", "Asker"):
        duvo_client.runs.start(name)
    waiting = duvo_client.runs.start("Asker")
    with pytest.raises(duvo.HumanRequestPending):
        waiting.wait(timeout=20, on_request="raise")
    # Only a function that has begun is cancelled.
    wait_for(lambda: len(BEGUN) == 5)


def test_the_runs_that_were_left_at_work_have_been_ended(
    duvo_engine: Serve, duvo_client: duvo.Client
) -> None:
    assert sorted(ENDED) == ["Asker", "Asker", "Sleeper", "Worker"]
    assert list(duvo_client.runs.list()) == []
    duvo_engine(asker)
    run = duvo_client.runs.start("Asker")
    run.wait(timeout=20, on_request=lambda request: True)
    assert run.status == "completed"


@pytest.mark.parametrize("number", range(20))
def test_a_run_that_has_just_been_started_may_be_left(
    duvo_engine: Serve, duvo_client: duvo.Client, number: int
) -> None:
    duvo_engine(echo, sleeper)
    assert list(duvo_client.runs.list()) == []
    duvo_client.runs.start("Sleeper")
    duvo_client.runs.start("Echo", message="hello")


def test_agents_are_replaced_by_a_further_call(
    duvo_engine: Serve, duvo_client: duvo.Client
) -> None:
    duvo_engine(asker)
    run = duvo_client.runs.start("Asker")
    duvo_engine(echo)
    assert [found.name for found in duvo_client.agents.list()] == ["Echo"]
    assert [found.id for found in duvo_client.runs.list()] == [run.id]
