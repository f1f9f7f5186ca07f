"""Agents whose code changes while a run waits, and agents that break the rules."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import duvo
from duvo.local import Server, agent
from duvo.local._store import appending


@contextlib.contextmanager
def serving(function: Callable[..., Any], database: Path) -> Iterator[duvo.Client]:
    """A client of an engine on that database, which serves the function as its only agent."""
    with (
        Server([agent("Changing")(function)], database=database, port=0, examples=False) as server,
        duvo.Client(api_key=server.api_key, base_url=server.base_url) as client,
    ):
        yield client


async def before(run: Any) -> None:
    await run.say("first")
    if await run.approval("Pay?"):
        await run.say("paid")


paid: list[str] = []


async def tool_instead(run: Any) -> None:
    await run.say("first")
    await run.tool("pay", {}, lambda: paid.append("paid"))


async def say_added(run: Any) -> None:
    await run.say("first")
    await run.say("second")
    await run.approval("Pay?")


async def say_removed(run: Any) -> None:
    await run.approval("Pay?")


async def question_instead(run: Any) -> None:
    await run.say("first")
    await run.ask("Pay?")


async def change_hidden_by_the_agent(run: Any) -> None:
    await run.say("first")
    try:
        await run.tool("pay", {}, lambda: paid.append("paid"))
    except Exception:
        await run.say("never mind")


@pytest.mark.long
@pytest.mark.parametrize(
    "after",
    [tool_instead, say_added, say_removed, question_instead, change_hidden_by_the_agent],
)
def test_a_run_whose_agent_makes_other_calls_now_fails_with_that_reason(
    after: Callable[..., Any], tmp_path: Path
) -> None:
    paid.clear()
    database = tmp_path / "runs.sqlite"
    with serving(before, database) as client:
        run = client.runs.start("Changing")
        with pytest.raises(duvo.HumanRequestPending):
            run.wait(timeout=20, on_request="raise")
    with serving(after, database) as client:
        run = client.runs.run(run.id).wait(timeout=20)
        assert run.status == "failed"
        assert "code changed" in str(run.failure)
        assert run.pending_request is None
    assert paid == []


def run_to_end(function: Callable[..., Any], tmp_path: Path) -> duvo.Run:
    with serving(function, tmp_path / "runs.sqlite") as client:
        return client.runs.ask("Changing", timeout=20, on_request="leave")


def test_a_run_with_lone_surrogates_in_its_texts_is_readable(tmp_path: Path) -> None:
    async def odd(run: Any) -> None:
        await run.tool("na\udce9me", {"file": "caf\udce9.txt"}, lambda file: [file, {file: file}])
        try:
            await run.tool("fails", {}, lambda: 1 / len("\udce9"[1:]))
        except Exception as error:
            await run.say(f"{error} \udce9")

    run = run_to_end(odd, tmp_path)
    assert run.status == "completed"
    assert "division" in str(run.answer)


def test_questions_with_lone_surrogates_are_readable(tmp_path: Path) -> None:
    async def odd(run: Any) -> None:
        await run.ask("Wh\udce9re?", options=["caf\udce9"], header="h\udce9")

    with serving(odd, tmp_path / "runs.sqlite") as client:
        run = client.runs.start("Changing")
        with pytest.raises(duvo.HumanRequestPending):
            run.wait(timeout=20, on_request="raise")
        run.respond(answers={"1": "here"})
        assert run.wait(timeout=20).status == "completed"


class Outlandish(BaseException):
    """A `BaseException`, such as some test tools raise."""


class Unprintable(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.long
@pytest.mark.parametrize("kind", [Outlandish, Unprintable, SystemExit, GeneratorExit])
@pytest.mark.parametrize("where", ["agent", "tool", "async tool"])
def test_a_run_fails_whatever_its_agent_or_tool_raises(
    kind: type[BaseException], where: str, tmp_path: Path
) -> None:
    async def raising_tool() -> None:
        raise kind

    def raising() -> None:
        raise kind

    async def odd(run: Any) -> None:
        if where == "agent":
            raise kind
        await run.tool("odd", {}, raising_tool if where == "async tool" else raising)

    run = run_to_end(odd, tmp_path)
    assert run.status == "failed"
    assert kind.__name__ in str(run.failure)


def test_a_timeout_around_an_approval_fails_the_run(tmp_path: Path) -> None:
    async def impatient(run: Any) -> None:
        try:
            await asyncio.wait_for(run.approval("Pay?"), 0.2)
        except (asyncio.TimeoutError, TimeoutError):
            await run.say("continuing without")

    run = run_to_end(impatient, tmp_path)
    assert run.status == "failed"
    assert "cancelled before it returned" in str(run.failure)
    assert run.pending_request is None


STUBBORN = """
import asyncio, contextlib, os
import duvo
from duvo.local import Server, agent

@agent("Stubborn")
async def stubborn(run):
    while True:
        with contextlib.suppress(BaseException):
            await run.tool("wait", {}, asyncio.Event().wait)

server = Server([stubborn], port=0, examples=False)
server.start()
client = duvo.Client(api_key=server.api_key, base_url=server.base_url, timeout=5)
run = client.runs.start("Stubborn")
messages = run.messages(follow=True, timeout=20)
while next(messages).type != "tool_call":
    pass
print(run.stop().status, client.runs.get(run.id).status, len(client.teams.list()), flush=True)
os._exit(0)
"""


@pytest.mark.long
def test_an_agent_that_catches_every_exception_can_be_stopped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "stopped stopped 1\n", done.stderr


@pytest.mark.long
def test_a_tool_that_fails_because_the_engine_closes_is_called_again(
    tmp_path: Path,
) -> None:
    began = threading.Event()
    calls: list[str] = []

    async def connection() -> str:
        calls.append("called")
        if len(calls) > 1:
            return "fine"
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("connection aborted") from None
        return "never"

    async def careful(run: Any) -> None:
        await run.say(await run.tool("connect", {}, connection))

    database = tmp_path / "runs.sqlite"
    with serving(careful, database) as client:
        run = client.runs.start("Changing")
        assert began.wait(20)
    with serving(careful, database) as client:
        run = client.runs.run(run.id).wait(timeout=20)
        assert (run.status, run.answer, len(calls)) == ("completed", "fine", 2)


@pytest.mark.long
def test_a_run_whose_message_cannot_be_stored_continues_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_full, failed = threading.Event(), threading.Event()
    insert = appending.insert_message

    def failing(connection: Any, run_id: str, entry: Any, **rest: Any) -> None:
        if entry.text == "two" and is_full.is_set():
            failed.set()
            raise sa.exc.DatabaseError("INSERT", {}, Exception("disk is full"))
        insert(connection, run_id, entry, **rest)

    async def counting(run: Any) -> None:
        for word in ("one", "two", "three"):
            with contextlib.suppress(Exception):
                await run.say(word)

    monkeypatch.setattr(appending, "insert_message", failing)
    database = tmp_path / "runs.sqlite"
    is_full.set()
    with serving(counting, database) as client:
        run = client.runs.start("Changing")
        assert failed.wait(30)
        with pytest.raises(duvo.WaitTimeout):
            run.wait(timeout=2)
    is_full.clear()
    with serving(counting, database) as client:
        said = [m.content for m in client.runs.run(run.id).messages(follow=True, timeout=20)]
        assert [word for word in said if word] == ["one", "two", "three"]
