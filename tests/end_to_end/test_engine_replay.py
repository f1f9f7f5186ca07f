"""Whether changed code still fits an unfinished turn, found without running it."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo.local import EngineError, RunContext, Server, agent
from duvo.testing import CallsDiffer, replay
from tests.servers.engine_api import wait_until

Function = Callable[[RunContext], Any]

CALLED: list[str] = []
SEEN: list[Any] = []


def pay(amount: int) -> tuple[str, int]:
    CALLED.append("pay")
    return ("paid", amount)


def refuse() -> None:
    raise OSError("refused")


async def unchanged(run: RunContext) -> None:
    today = await run.now()
    await run.say(f"hello {run.message}")
    answers = await run.ask("How many?")
    result = await run.tool("pay", {"amount": int(answers["How many?"])}, pay)
    try:
        await run.tool("refuse", {}, refuse)
    except Exception as error:
        SEEN.append((today.year > 2000, result, str(error)))
    await run.random()
    await run.sleep(0.01)
    await run.think(str(await run.inbox()))
    await run.approval("Go on?")
    await run.say("the end")


async def text_changed(run: RunContext) -> None:
    await run.now()
    await run.say("another text")
    await run.ask("How many?", options=["1", "2"])
    await run.tool("pay", {"amount": 7}, pay)
    try:
        await run.tool("refuse", {}, refuse)
    except Exception:
        await run.random()
    await run.sleep(5)
    await run.inbox()
    await run.think("")
    await run.approval("Really?")
    raise KeyError("after the records")


async def other_call_first(run: RunContext) -> None:
    await run.uuid()


async def say_left_out(run: RunContext) -> None:
    await run.now()
    await run.ask("How many?")


async def say_added(run: RunContext) -> None:
    await run.now()
    await run.say("hello")
    await run.say("again")


async def approval_instead(run: RunContext) -> None:
    await run.now()
    await run.say("hello")
    await run.approval("How many?")


async def other_tool(run: RunContext) -> None:
    await run.now()
    await run.say("hello")
    await run.ask("How many?")
    await run.tool("refund", {}, pay)


async def random_left_out(run: RunContext) -> None:
    await run.now()
    await run.say("hello")
    await run.ask("How many?")
    await run.tool("pay", {"amount": 7}, pay)
    try:
        await run.tool("refuse", {}, refuse)
    except Exception:
        await run.sleep(0.01)


async def hidden_by_the_agent(run: RunContext) -> None:
    await run.now()
    try:
        await run.think("hello")
    except BaseException:
        await run.say("hello")
    finally:
        await run.say("hello")


async def ends_early(run: RunContext) -> None:
    await run.now()
    await run.say("hello")


async def fails_early(run: RunContext) -> None:
    await run.now()
    raise KeyError("amount")


async def exits_early(run: RunContext) -> None:
    await run.now()
    sys.exit("gone")


async def two_at_once(run: RunContext) -> None:
    await asyncio.gather(run.now(), run.say("hello"))


DIFFERENT = [
    (other_call_first, 1, "run.now()", "run.uuid()"),
    (say_left_out, 2, "run.say()", "run.ask()"),
    (say_added, 3, "run.ask()", "run.say()"),
    (approval_instead, 3, "run.ask()", "run.approval()"),
    (other_tool, 4, "run.tool('pay')", "run.tool('refund')"),
    (random_left_out, 6, "run.random()", "run.sleep()"),
    (hidden_by_the_agent, 2, "run.say()", "run.think()"),
    (ends_early, 3, "run.ask()", "the end of the function"),
    (fails_early, 2, "run.say()", "KeyError: 'amount'"),
    (exits_early, 2, "run.say()", "RuntimeError: the agent raised SystemExit: gone"),
]


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A database without an engine, and its run that waits for approval."""
    database = tmp_path_factory.mktemp("replay") / "runs.sqlite"
    with (
        Server([agent("Payer")(unchanged)], database=database, port=0) as server,
        duvo.Client(server.api_key, server.base_url, server.team_id) as client,
    ):
        run = client.runs.start("Payer", message="Ada")
        with pytest.raises(duvo.HumanRequestPending, match="Go on"):
            run.wait(timeout=30, answers={"How many?": "7"}, on_request="raise")
    CALLED.clear()
    SEEN.clear()
    yield database, run.id


def play(function: Function, unfinished: tuple[Path, str]) -> int:
    return replay(agent("Payer")(function), *unfinished)


def contents(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_code_that_has_not_changed_fits_and_sees_what_was_recorded(
    unfinished: tuple[Path, str],
) -> None:
    before = contents(unfinished[0].parent)
    assert play(unchanged, unfinished) == 10
    assert SEEN.pop() == (True, ["paid", 7], "tool 'refuse' failed: OSError: refused")
    assert CALLED == []
    assert contents(unfinished[0].parent) == before


def test_code_that_makes_the_same_calls_with_other_texts_fits(
    unfinished: tuple[Path, str],
) -> None:
    assert play(text_changed, unfinished) == 10


@pytest.mark.parametrize(
    ("function", "number", "recorded", "called"),
    DIFFERENT,
    ids=[function.__name__ for function, *_ in DIFFERENT],
)
def test_the_first_call_that_differs_is_named(
    function: Function, number: int, recorded: str, called: str, unfinished: tuple[Path, str]
) -> None:
    with pytest.raises(CallsDiffer) as caught:
        play(function, unfinished)
    assert (caught.value.number, caught.value.recorded) == (number, recorded)
    assert caught.value.called == called
    assert str(caught.value) == (
        f"the code does not fit run {unfinished[1]}: its call {number} was {recorded}, "
        f"and is now {called}"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_two_calls_at_once_are_refused(unfinished: tuple[Path, str]) -> None:
    with pytest.raises(CallsDiffer, match="is now CallOrderError"):
        play(two_at_once, unfinished)


@pytest.mark.long
def test_the_engine_fails_a_run_whose_changed_code_does_not_fit(
    unfinished: tuple[Path, str], tmp_path: Path
) -> None:
    copy = tmp_path / "runs.sqlite"
    copy.write_bytes(unfinished[0].read_bytes())
    with (
        Server([agent("Payer")(other_tool)], database=copy, port=0) as server,
        duvo.Client(server.api_key, server.base_url, server.team_id) as client,
    ):
        run = client.runs.run(unfinished[1])
        with pytest.raises(duvo.RunFailed, match="the agent's code changed"):
            run.wait(timeout=30, check=True)
    with pytest.raises(EngineError, match="has no unfinished turn"):
        play(unchanged, (copy, unfinished[1]))


def test_replaying_a_function_that_makes_no_further_call_ends_with_an_error(
    unfinished: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duvo.local.testing.replay._TIMEOUT", 0.1)

    async def stuck(run: RunContext) -> None:
        await run.now()
        await asyncio.Event().wait()

    with pytest.raises(EngineError, match=r"within 0.1 s the function neither came to the end"):
        play(stuck, unfinished)


def test_a_turn_is_replayed_while_its_engine_runs(tmp_path: Path) -> None:
    database, going = tmp_path / "runs.sqlite", threading.Event()

    async def working(run: RunContext) -> None:
        await run.say("first")
        await run.tool("work", {}, lambda: going.wait(60))

    async def changed(run: RunContext) -> None:
        await run.tool("work", {}, lambda: going.wait(60))

    with (
        Server([agent("Worker")(working)], database=database, port=0) as server,
        duvo.Client(server.api_key, server.base_url, server.team_id) as client,
    ):
        run = client.runs.start("Worker")
        wait_until(lambda: len(list(run.messages())) == 3, 30, "the tool was not called")
        # A tool that was interrupted was begun: its call is recorded.
        assert replay(agent("Worker")(working), database, run.id) == 2
        with pytest.raises(CallsDiffer, match=r"call 1 was run.say\(\), and is now run.tool"):
            replay(agent("Worker")(changed), database, run.id)
        going.set()
        assert run.wait(timeout=30).status == "completed"


def test_a_later_turn_is_replayed_from_its_own_start(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"

    async def asker(run: RunContext) -> None:
        SEEN.append((run.turn, run.message, [message.text for message in run.conversation]))
        if run.turn == 2:
            await run.approval("Again?")

    with (
        Server([agent("Asker")(asker)], database=database, port=0) as server,
        duvo.Client(server.api_key, server.base_url, server.team_id) as client,
    ):
        run = client.runs.start("Asker", message="first")
        run.wait(timeout=30)
        run.send_message("second")
        wait_until(lambda: client.runs.get(run.id).status == "waiting", 30, "it did not ask")
    began = SEEN.pop()
    assert replay(agent("Asker")(asker), database, run.id) == 1
    assert SEEN.pop() == began
    assert began[:2] == (2, "second")


@pytest.mark.parametrize(
    ("name", "database", "run_id", "expected"),
    [
        ("Payer", "missing.sqlite", None, "missing.sqlite: there is no such file"),
        (
            "Payer",
            "postgresql://me:secret@db/runs",
            None,
            r"^postgresql://me:\*\*\*@db/runs: replay reads",
        ),
        ("Payer", None, "0123abcd", "no such run: 0123abcd; give the whole id"),
        ("Other", None, None, "is of agent 'Payer', not of 'Other'"),
    ],
)
def test_a_run_that_cannot_be_replayed_is_refused_with_the_reason(
    name: str,
    database: str | None,
    run_id: str | None,
    expected: str,
    unfinished: tuple[Path, str],
    tmp_path: Path,
) -> None:
    file: Any = tmp_path / database if database else unfinished[0]
    if database and "://" in database:
        file = database
    with pytest.raises(EngineError, match=expected):
        replay(agent(name)(unchanged), file, run_id or unfinished[1])


def test_a_file_that_is_not_an_engines_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.sqlite"
    file.write_text("not a database")
    with pytest.raises(EngineError, match=r"notes.sqlite: not a usable database \(file is not"):
        replay(agent("Payer")(unchanged), file, "0")
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with pytest.raises(EngineError, match=r"empty.sqlite: not a usable database"):
        replay(agent("Payer")(unchanged), empty, "0")
