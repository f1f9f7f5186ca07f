"""A run for an agent's function that is tested without a server."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from duvo.local import CallOrderError, Message, Question, RunContext, ToolFailed, agent
from duvo.testing import FakeRun


def play(function: Any, run: FakeRun) -> FakeRun:
    asyncio.run(function(run))
    return run


def failing(**arguments: Any) -> None:
    raise AssertionError("the agent's own tool was called")


@agent("Buyer")
async def buyer(run: RunContext) -> None:
    await run.think("How many?")
    answers = await run.ask("How many?", "Which colour?")
    count = int(answers["How many?"])
    if await run.approval(f"Buy {count} {run.message}?"):
        receipt = await run.tool("order", {"count": count}, failing)
        await run.say(f"Ordered: {receipt['id']} in {answers['Which colour?']}")


def test_a_fake_run_records_what_its_agent_says_asks_and_calls() -> None:
    run = FakeRun(
        message="chairs",
        answers={"How many?": "2", "Which colour?": "red"},
        approvals=True,
        tools={"order": {"id": 7}},
    )
    play(buyer, run)
    assert run.said == ["Ordered: 7 in red"]
    assert run.thoughts == ["How many?"]
    assert run.asked == ["How many?", "Which colour?", "Buy 2 chairs?"]
    assert run.called == [("order", {"count": 2})]


def test_a_declined_approval_is_what_the_agent_gets() -> None:
    answers = {"How many?": "2", "Which colour?": "red"}
    run = play(buyer, FakeRun(message="chairs", answers=answers, approvals=False))
    assert (run.said, run.called) == ([], [])


@pytest.mark.parametrize("approvals", [[True, False], {"First?": True, "Second?": False}])
def test_approvals_are_given_in_order_or_by_title(approvals: Any) -> None:
    async def asker(run: RunContext) -> None:
        await run.say(str([await run.approval("First?"), await run.approval("Second?")]))

    assert play(asker, FakeRun(approvals=approvals)).said == ["[True, False]"]


def test_a_question_that_is_asked_again_has_the_next_answer_of_its_list() -> None:
    async def asker(run: RunContext) -> None:
        for _ in range(2):
            await run.say((await run.ask(Question("How many?")))["How many?"])

    assert play(asker, FakeRun(answers={"How many?": ["x", "3"]})).said == ["x", "3"]


def test_an_answer_may_be_given_by_the_header_of_its_question() -> None:
    async def asker(run: RunContext) -> None:
        await run.say(str(await run.ask("Which language?", header="Lang")))
        await run.say(str(await run.ask(Question("Year?", header="Y"), "Why?")))

    run = FakeRun(answers={"Lang": ["Czech"], "Y": "by header", "Year?": "1999", "Why?": "so"})
    assert play(asker, run).said == [
        "{'Which language?': 'Czech'}",
        "{'Year?': '1999', 'Why?': 'so'}",
    ]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (FakeRun(), "the agent asks 'How many\\?', and FakeRun has no answer"),
        (FakeRun(answers={"How many?": "1"}), "the agent asks 'Which colour\\?'"),
        (
            FakeRun(answers={"How many?": "1", "Which colour?": "red"}),
            "asks for approval of 'Buy 1 None\\?'",
        ),
        (
            FakeRun(answers={"How many?": "1", "Which colour?": "red"}, approvals=[]),
            "asks for approval of 'Buy 1 None\\?'",
        ),
    ],
)
def test_a_reply_that_was_not_given_fails_the_test_and_is_named(
    run: FakeRun, expected: str
) -> None:
    with pytest.raises(AssertionError, match=expected):
        play(buyer, run)


def test_an_agent_cannot_hide_that_a_reply_was_not_given() -> None:
    async def hiding(run: RunContext) -> None:
        try:
            await run.approval("Go on?")
        except Exception:
            await run.say("never mind")

    with pytest.raises(AssertionError, match="asks for approval of 'Go on"):
        play(hiding, FakeRun())


@pytest.mark.parametrize("answer", [1, [1], None])
def test_an_answer_that_is_not_text_is_refused(answer: Any) -> None:
    with pytest.raises(TypeError, match="an answer is text, or a list of texts; that to 'How many"):
        FakeRun(answers={"How many?": answer})


@pytest.mark.parametrize("approvals", ["no", b"no", 0, 1, {True}])
def test_approvals_that_are_not_replies_are_refused(approvals: Any) -> None:
    with pytest.raises(TypeError, match="approvals is True, False, a list of these, or a dict"):
        FakeRun(approvals=approvals)


@pytest.mark.parametrize("approvals", [["no"], {"Pay?": "no"}, (None,), {"Pay?": 0}])
def test_a_reply_to_an_approval_that_is_not_true_or_false_is_refused(approvals: Any) -> None:
    with pytest.raises(TypeError, match="a reply to an approval is True or False, not"):
        FakeRun(approvals=approvals)


def order(count: int, idempotency_key: str) -> tuple[int, str]:
    return count, idempotency_key


@pytest.mark.parametrize("tools", [None, {"order": order}])
def test_a_tool_is_called_as_on_the_engine(tools: Any) -> None:
    results = []

    async def caller(run: RunContext) -> None:
        results.append(await run.tool("order", {"count": 2}, order))

    run = play(caller, FakeRun(tools=tools))
    assert results == [[2, f"{run.id}/1"]]


@pytest.mark.parametrize("error", [OSError("gone"), OSError])
def test_a_tool_that_is_given_as_an_exception_fails(error: Any) -> None:
    async def caller(run: RunContext) -> None:
        try:
            await run.tool("order", {}, failing)
        except ToolFailed as failure:
            await run.say(failure.error.partition(":")[0])

    assert play(caller, FakeRun(tools={"order": error})).said == ["OSError"]


def test_a_sleep_ends_at_once_and_moves_the_time() -> None:
    async def sleeper(run: RunContext) -> None:
        began = await run.now()
        await run.sleep(3 * 86_400)
        await run.sleep(-1)
        await run.say(str(await run.now() - began))

    run = play(sleeper, FakeRun())
    assert run.said == [str(timedelta(days=3))]
    assert run.slept == [3 * 86_400, 0]


@pytest.mark.parametrize("seconds", ["1", None, float("nan"), float("inf"), timedelta(1)])
def test_a_sleep_of_another_type_is_refused(seconds: Any) -> None:
    async def sleeper(run: RunContext) -> None:
        await run.sleep(seconds)

    with pytest.raises(TypeError, match=r"run.sleep\(\) takes a number of seconds, not"):
        play(sleeper, FakeRun())


def test_python_warns_at_once_of_a_call_that_a_plain_function_does_not_await() -> None:
    async def forgetful(run: RunContext) -> None:
        run.say("hello")  # type: ignore[unused-coroutine]

    with pytest.warns(RuntimeWarning, match="RunContext.say' was never awaited"):
        play(forgetful, FakeRun())


@pytest.mark.parametrize("name", ["say", "sleep", "tool"])
def test_an_agent_fails_as_on_the_engine_if_it_does_not_await_a_call(name: str) -> None:
    arguments = {"say": ("hello",), "sleep": (1,), "tool": ("order", {}, failing)}[name]

    @agent("Forgetful")
    async def forgetful(run: RunContext) -> None:
        getattr(run, name)(*arguments)
        await run.say("done")

    @agent("Outer")
    async def outer(run: RunContext) -> None:
        await forgetful(run)

    for played in (forgetful, outer):
        with pytest.raises(CallOrderError, match=rf"^run.{name}\(\) was not awaited \(test_fake_"):
            play(played, FakeRun())


def test_a_call_that_a_failed_agent_left_is_not_that_of_the_next() -> None:
    @agent("Failing")
    async def failing(run: RunContext) -> None:
        left.append(run.say("left"))
        raise KeyError("x")

    @agent("Good")
    async def good(run: RunContext) -> None:
        await run.say("good")

    left: list[Any] = []
    run = FakeRun()
    with pytest.raises(KeyError):
        play(failing, run)
    assert play(good, run).said == ["good"]
    left[0].close()


def test_an_agent_may_await_a_call_later_than_it_makes_it() -> None:
    @agent("Late")
    async def late(run: RunContext) -> None:
        made = run.say("second")
        await inner(run)
        await made

    @agent("Inner")
    async def inner(run: RunContext) -> None:
        await run.say("first")

    assert play(late, FakeRun()).said == ["first", "second"]


def test_an_agent_cannot_hide_its_last_error() -> None:
    @agent("Hiding")
    async def hiding(run: RunContext) -> None:
        with contextlib.suppress(AssertionError):
            await run.approval("Pay?")

    with pytest.raises(AssertionError, match="asks for approval of 'Pay"):
        play(hiding, FakeRun())


def test_an_agent_may_be_called_with_any_stand_in() -> None:
    run = AsyncMock()
    play(agent("Echo")(echo), run)
    run.say.assert_awaited_once_with("hello")


async def echo(run: RunContext) -> None:
    await run.say("hello")


def test_inbox_conversation_and_turn_are_those_that_are_given() -> None:
    async def reader(run: RunContext) -> None:
        await run.say(f"{run.turn} {[m.text for m in run.conversation]} {run.message}")
        await run.say(f"{await run.inbox()} {await run.inbox()}")

    earlier = [Message("user", "text", "hello")]
    run = play(reader, FakeRun("again", inbox=["now"], conversation=earlier, turn=2))
    assert run.said == ["2 ['hello'] again", "['now'] []"]


def test_two_calls_at_once_are_refused() -> None:
    async def gathering(run: RunContext) -> None:
        await asyncio.gather(run.sleep(1), run.tool("order", {}, failing))

    with pytest.raises(CallOrderError, match=r"run.tool\(\) was called while run.sleep\(\) is"):
        play(gathering, FakeRun())


def test_an_agent_cannot_go_on_after_a_call_with_a_timeout() -> None:
    async def impatient(run: RunContext) -> None:
        try:
            await asyncio.wait_for(run.tool("wait", {}, asyncio.Event().wait), 0.01)
        except asyncio.TimeoutError:
            await run.say("too late")

    with pytest.raises(CallOrderError, match="call it without a timeout"):
        play(impatient, FakeRun())


def test_a_fake_run_needs_none_of_the_engine() -> None:
    code = """
import sys
from duvo.testing import FakeRun
FakeRun()
assert not {"dbos", "sqlalchemy", "starlette", "uvicorn", "pytest", "requests"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
