"""What agents do to their runs, and how what people do reaches the agents."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from duvo.local import CallOrderError, Question, RunContext, Server, ToolFailed, agent
from tests.servers.engine_api import EngineAPI, wait_until

entered = threading.Event()
cancelled = threading.Event()


@agent("Tools")
async def tools(run: RunContext) -> None:
    def add(first: int, second: int) -> int:
        return first + second

    async def key(idempotency_key: str) -> str:
        return idempotency_key

    def broken() -> None:
        raise KeyError("no such row")

    await run.think("Let me see")
    await run.say(f"sum {await run.tool('add', {'first': 1, 'second': 2}, add)}")
    used = await run.tool("key", {}, key)
    assert used == f"{run.id}/6", used
    try:
        await run.tool("broken", {}, broken)
    except ToolFailed as error:
        await run.say(str(error))
    try:
        await run.tool("no json", {}, lambda: {1, 2})
    except ToolFailed as error:
        await run.say(error.error)


@agent("Approver")
async def approver(run: RunContext) -> None:
    approved = await run.approval("Post it?", "Total 12")
    await run.say(f"approved {approved} {await run.inbox()}")


@agent("Questions")
async def questions(run: RunContext) -> None:
    one = await run.ask("Which cost centre?", options=["A", "B"], header="Centre")
    await run.say(repr(one))
    two = await run.ask(Question("When?", header="Day"), "Why = because?", description="Two")
    await run.say(repr(two))


@agent("Memory")
async def memory(run: RunContext) -> None:
    texts = [message.text for message in run.conversation if message.type == "text"]
    await run.say(f"turn {run.turn}, message {run.message}, before {texts}")


@agent("Reader")
async def reader(run: RunContext) -> None:
    seen: list[str] = []
    await run.say("reading")
    while "enough" not in seen:
        seen += await run.inbox()
        await run.sleep(0.01)
    await run.say(repr(seen))


@agent("Stuck")
async def stuck(run: RunContext) -> None:
    async def wait() -> None:
        entered.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await run.tool("wait", {}, wait)


@agent("Stuck in a thread")
async def stuck_in_thread(run: RunContext) -> None:
    def wait() -> None:
        entered.set()
        cancelled.wait(60)

    await run.tool("wait", {}, wait)
    await run.say("continued")


@agent("Crowd")
async def crowd(run: RunContext) -> None:
    await asyncio.gather(run.say("one"), run.say("two"))


@agent("Crowd that is caught")
async def caught_crowd(run: RunContext) -> None:
    first = asyncio.create_task(run.say("one"))
    await asyncio.sleep(0)
    with pytest.raises(CallOrderError, match=r"run\.say\(\) was called while run\.say\(\) is open"):
        await run.say("two")
    await first


@agent("Forgetful")
async def forgetful(run: RunContext) -> None:
    run.forgotten = asyncio.create_task(run.sleep(0.2))  # type: ignore[attr-defined]
    await asyncio.sleep(0)


@agent("Forgets to await")
async def forgets_to_await(run: RunContext) -> None:
    await run.say("first")
    run.say("second")
    await run.think("third")


@agent("Returns a call")
async def returns_a_call(run: RunContext) -> object:
    return run.say("never said")


@agent("Awaits calls out of order")
async def awaits_calls_out_of_order(run: RunContext) -> None:
    first, second = run.say("first"), run.say("second")
    await second
    await first


@agent("Returns a text")
async def returns_a_text(run: RunContext) -> str:
    return "never seen"


@agent("Leaver")
async def leaver(run: RunContext) -> None:
    raise SystemExit(3)


@agent("Odd text")
async def odd_text(run: RunContext) -> None:
    await run.say("nul \0 and half \ud800 and \N{SNOWMAN}")
    raise ValueError("nul \0 and half \ud800")


@agent("Quiet")
async def quiet(run: RunContext) -> None:
    return


@pytest.fixture(scope="module")
def api() -> Iterator[EngineAPI]:
    """A running engine with the agents of this file."""
    agents = [
        *(tools, approver, questions, memory, reader, stuck, stuck_in_thread),
        *(crowd, caught_crowd, forgetful, leaver, odd_text, quiet),
        *(forgets_to_await, returns_a_call, returns_a_text),
        awaits_calls_out_of_order,
    ]
    with Server(agents, port=0) as server:
        api = EngineAPI.of(server)
        yield api
        api.close()


def types_of(conversation: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in conversation]


def test_a_conversation_has_the_message_the_session_and_the_agents_calls(api: EngineAPI) -> None:
    run_id = api.start("Tools", "Do it")
    run = api.wait_for_end(run_id)["run"]
    conversation = api.conversation(run_id)
    pair = ["tool_call", "tool_result"]
    assert run["status"] == "completed", conversation
    assert types_of(conversation) == [
        *("text", "session_started", "thinking", *pair, "text"),
        *(*pair, *pair, "text", *pair, "text", "session_completed"),
    ]
    assert (conversation[0]["role"], conversation[0]["text_content"]) == ("user", "Do it")
    assert conversation[3]["role"] == conversation[4]["role"] == "assistant"
    assert conversation[3]["tool_call"]["arguments"] == {"first": 1, "second": 2}
    assert conversation[3]["tool_call"]["id"] == conversation[4]["tool_result"]["tool_call_id"]
    assert conversation[4]["tool_result"]["result"] == 3
    assert conversation[9]["tool_result"]["error"] == "KeyError: 'no such row'"
    assert api.texts(run_id)[:2] == ["sum 3", "tool 'broken' failed: KeyError: 'no such row'"]
    assert "not JSON serializable" in api.texts(run_id)[2]


def test_times_of_a_conversation_rise_strictly(api: EngineAPI) -> None:
    run_id = api.start("Tools", "Do it")
    run = api.wait_for_end(run_id)["run"]
    times = [message["timestamp"] for message in api.conversation(run_id)]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert run["created_at"] <= times[0] < run["started_at"] < run["completed_at"]
    assert run["completed_at"] == times[-1]


def test_an_approval_waits_for_the_decision_and_returns_it(api: EngineAPI) -> None:
    for approved in (True, False):
        run_id = api.start("Approver")
        request = api.wait_for_request(run_id)
        assert (request["type"], request["title"]) == ("approval", "Post it?")
        assert request["description"] == "Total 12"
        call = api.conversation(run_id)[-1]
        assert call["tool_call"]["name"] == "request_approval"
        assert call["tool_call"]["arguments"] == {"title": "Post it?", "description": "Total 12"}
        answered = api.respond(run_id, request["id"], approved=approved)["human_request"]
        assert answered["response"] == ("approved" if approved else "denied")
        assert "pending_human_request" not in api.wait_for_end(run_id)
        assert api.texts(run_id) == [f"approved {approved} []"]
        results = [m for m in api.conversation(run_id) if m["type"] == "tool_result"]
        assert results[0]["tool_result"]["result"] == {"approved": approved}


def test_answers_are_keyed_by_the_questions_texts(api: EngineAPI) -> None:
    run_id = api.start("Questions")
    request = api.wait_for_request(run_id)
    assert request["questions"] == [
        {
            "question": "Which cost centre?",
            "header": "Centre",
            "options": [{"label": "A"}, {"label": "B"}],
        }
    ]
    api.respond(run_id, request["id"], answers={"Which cost centre?": "B"})
    api.wait_for_text(run_id, "{'Which cost centre?': 'B'}")
    request = api.wait_for_request(run_id)
    assert [q["question"] for q in request["questions"]] == ["When?", "Why = because?"]
    api.respond(run_id, request["id"], answers={"Why = because?": "so", "When?": "now"})
    api.wait_for_end(run_id)
    assert api.texts(run_id)[-1] == "{'When?': 'now', 'Why = because?': 'so'}"


def test_a_message_to_a_waiting_run_answers_its_question(api: EngineAPI) -> None:
    run_id = api.start("Questions")
    api.wait_for_request(run_id)
    posted = api.say(run_id, "B it is")["message"]
    api.wait_for_text(run_id, "{'Which cost centre?': 'B it is'}")
    assert posted["id"] in [message["id"] for message in api.conversation(run_id)]


def test_a_message_to_a_run_that_asks_two_questions_is_refused(api: EngineAPI) -> None:
    run_id = api.start("Questions")
    api.say(run_id, "B") if api.wait_for_request(run_id) else None
    api.wait_for_text(run_id, "{'Which cost centre?': 'B'}")
    request = api.wait_for_request(run_id)
    refused = api.say(run_id, "tomorrow", status=422)
    assert "2 questions" in refused["message"]
    assert api.run(run_id)["pending_human_request"]["id"] == request["id"]


@pytest.mark.parametrize(
    ("text", "approved"),
    [
        *(("yes", True), ("OK.", True), ("Approve", True)),
        *(("no", False), ("yes, but not today", False), ("not ok", False)),
    ],
)
def test_a_message_approves_only_by_a_bare_word_of_consent(
    api: EngineAPI, text: str, approved: bool
) -> None:
    run_id = api.start("Approver")
    api.wait_for_request(run_id)
    api.say(run_id, text)
    api.wait_for_end(run_id)
    inbox = [] if approved else [text]
    assert api.texts(run_id) == [f"approved {approved} {inbox}"]


def test_messages_to_a_running_run_reach_its_inbox_once_and_in_order(api: EngineAPI) -> None:
    run_id = api.start("Reader", "not for the inbox")
    api.wait_for_text(run_id, "reading")
    texts = [f"note {number}" for number in range(5)]
    for text in [*texts, "enough"]:
        api.say(run_id, text)
    api.wait_for_end(run_id)
    assert api.texts(run_id)[-1] == repr([*texts, "enough"])


def test_a_message_to_a_completed_run_starts_a_new_turn(api: EngineAPI) -> None:
    run_id = api.start("Memory", "first")
    api.wait_for_end(run_id)
    before = len(api.conversation(run_id))
    posted = api.say(run_id, "second")["message"]
    run = api.wait_for_end(run_id)["run"]
    conversation = api.conversation(run_id)
    assert types_of(conversation[before:]) == [
        "text",
        "session_started",
        "text",
        "session_completed",
    ]
    assert conversation[before]["id"] == posted["id"]
    assert run["completed_at"] > posted["timestamp"]
    first = "turn 1, message first, before []"
    assert api.texts(run_id) == [
        first,
        f"turn 2, message second, before {['first', first]}",
    ]


def test_a_message_resumes_a_stopped_run(api: EngineAPI) -> None:
    run_id = api.start("Approver")
    request = api.wait_for_request(run_id)
    api.stop(run_id)
    refused = api.respond(run_id, request["id"], approved=True, status=409)
    assert "void" in refused["message"]
    api.say(run_id, "continue")
    again = api.wait_for_request(run_id)
    assert again["id"] != request["id"]
    api.respond(run_id, again["id"], approved=True)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"


def test_a_failed_run_has_a_reason_and_cannot_be_resumed(api: EngineAPI) -> None:
    run_id = api.start("Failing")
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    last = api.conversation(run_id)[-1]
    assert last["type"] == "session_error"
    reason = r"RuntimeError: this agent always fails \(examples\.py:\d+\)"
    assert re.fullmatch(reason, last["text_content"])
    assert "failed run cannot be resumed" in api.say(run_id, "again", status=409)["message"]


@pytest.mark.parametrize("name", ["Stuck", "Stuck in a thread"])
def test_stop_ends_a_run_at_once_inside_a_tool(api: EngineAPI, name: str) -> None:
    entered.clear()
    cancelled.clear()
    run_id = api.start(name)
    assert entered.wait(30)
    before = time.monotonic()
    api.stop(run_id)
    assert api.status(run_id) == "interrupted"
    assert time.monotonic() - before < 20  # the tool takes a minute
    if name == "Stuck":
        assert cancelled.wait(30)
    cancelled.set()
    conversation = api.conversation(run_id)
    assert types_of(conversation) == ["session_started", "tool_call", "session_interrupted"]
    if name == "Stuck in a thread":
        # The first turn's tool has returned by now; only the second turn's text is stored.
        api.say(run_id, "again")
        api.wait_for_end(run_id)
        assert api.texts(run_id) == ["continued"]


def test_stop_leaves_an_ended_run_unchanged(api: EngineAPI) -> None:
    run_id = api.start("Quiet")
    before = api.wait_for_end(run_id)
    assert "completed" in api.stop(run_id)["message"]
    assert api.run(run_id) == before


def test_two_concurrent_calls_of_run_are_refused(api: EngineAPI) -> None:
    run_id = api.start("Crowd")
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    assert (
        "await each call of `run` before the next" in api.conversation(run_id)[-1]["text_content"]
    )
    run_id = api.start("Crowd that is caught")
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id) == ["one"]


def test_a_call_that_is_not_awaited_fails_the_run(api: EngineAPI) -> None:
    run_id = api.start("Forgetful")
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    last = api.conversation(run_id)[-1]["text_content"]
    assert last == "CallOrderError: run.sleep() was not awaited to its end"


@pytest.mark.parametrize(
    ("agent_name", "function", "offset", "call"),
    [
        ("Forgets to await", forgets_to_await, 3, "say"),
        ("Returns a call", returns_a_call, 2, "say"),
    ],
)
def test_a_call_that_is_never_begun_fails_the_run_with_its_line(
    api: EngineAPI, agent_name: str, function: Any, offset: int, call: str
) -> None:
    run_id = api.start(agent_name)
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    line = function.function.__code__.co_firstlineno + offset
    assert api.conversation(run_id)[-1]["text_content"] == (
        f"CallOrderError: run.{call}() was not awaited (test_engine_runs.py:{line}); "
        f"write `await run.{call}(…)`"
    )


def test_calls_may_be_awaited_later_than_they_are_made(api: EngineAPI) -> None:
    run_id = api.start("Awaits calls out of order")
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id) == ["second", "first"]


def test_a_value_that_an_agent_returns_is_dropped_with_a_warning(
    api: EngineAPI, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = api.start("Returns a text")
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    wait_until(lambda: "returned a value" in caplog.text, 30, "no warning")
    (line,) = [r.getMessage() for r in caplog.records if "returned a value" in r.getMessage()]
    assert line == (
        f"run {run_id[:8]}: agent Returns a text returned a value (str), which is dropped; "
        "say it with `await run.say(…)`"
    )


def test_an_agent_that_raises_system_exit_fails_only_its_run(api: EngineAPI) -> None:
    run_id = api.start("Leaver")
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    assert "SystemExit" in api.conversation(run_id)[-1]["text_content"]
    assert api.wait_for_end(api.start("Quiet"))["run"]["status"] == "completed"


def test_text_that_cannot_be_stored_is_replaced(api: EngineAPI) -> None:
    run_id = api.start("Odd text")
    api.wait_for_end(run_id)
    assert api.texts(run_id) == ["nul \ufffd and half ? and \N{SNOWMAN}"]
    assert api.conversation(run_id)[-1]["text_content"].startswith(
        "ValueError: nul \ufffd and half ? ("
    )


def test_the_invoice_approver_posts_the_invoices_that_the_message_names(api: EngineAPI) -> None:
    run_id = api.start("Invoice approver", "Please post inv-2024-7a, and INV-12.")
    first = api.wait_for_request(run_id)
    api.respond(run_id, first["id"], approved=True)
    second = api.wait_for_request(run_id)
    api.respond(run_id, second["id"], approved=False)
    api.wait_for_end(run_id)
    assert (first["title"], second["title"]) == ("Post INV-2024-7A?", "Post INV-12?")
    assert api.texts(run_id)[-1] == "INV-2024-7A is posted. INV-12 is left alone."
    results = [m["tool_result"]["result"] for m in api.conversation(run_id) if m.get("tool_result")]
    totals = [result for result in results if isinstance(result, float)]
    assert [f"The total is {total:.2f} EUR." for total in totals] == [
        first["description"],
        second["description"],
    ]
    assert totals[0] != totals[1]


def test_the_invoice_approver_asks_until_it_can_read_a_number(api: EngineAPI) -> None:
    run_id = api.start("Invoice approver", "Process the INVOICE of ACME")
    for text in ("the big one", "it is INV-9"):
        request = api.wait_for_request(run_id)
        (question,) = request["questions"]
        assert "Which invoice?" in question["question"]
        api.say(run_id, text)
    assert api.wait_for_request(run_id)["title"] == "Post INV-9?"


def test_every_example_agent_runs(api: EngineAPI) -> None:
    run_id = api.start("Invoice approver", "Process INV-1043")
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id)[-1] == "INV-1043 is posted."
    run_id = api.start("Travel booker")
    asked = api.wait_for_request(run_id)
    answers = {q["question"]: q["options"][0]["label"] for q in asked["questions"]}
    api.respond(run_id, asked["id"], answers=answers)
    api.wait_for_end(run_id)
    assert api.texts(run_id) == ["Booked for Prague: train."]
    run_id = api.start("Talker", "hi")
    api.wait_for_end(run_id)
    assert "You said: hi" in api.texts(run_id)
    run_id = api.start("Endless worker")
    api.wait_for_text(run_id, "Working, part 1")
    api.stop(run_id)
    assert api.status(run_id) == "interrupted"
