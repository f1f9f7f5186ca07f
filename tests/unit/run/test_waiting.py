"""Waiting for a run, and human requests in the meantime."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import DropConnection, FakeAPI, ReceivedRequest, small_pages
from tests.support.clocks import StoppedClock
from tests.support.lateness import ends_in_time

QUESTION = {
    "type": "question",
    "title": "Which cost centre?",
    "questions": [
        {"question": "Which cost centre?", "header": "centre", "options": [{"label": "A"}]},
    ],
}


def test_wait_returns_the_finished_run_with_its_answer(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "Posted 3 invoices.")
    fake_api.say(run_id, "", type="session_completed", role="system")
    clock.on_sleep = lambda now: fake_api.end(run_id) if now > 1020 else None
    run = client.runs.run(run_id)
    assert run.wait() is run
    assert run.status == "completed"
    assert run.answer == "Posted 3 invoices."
    assert run.failure is None


def test_the_answer_is_found_behind_pages_of_tool_calls(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    for number in range(200):
        fake_api.say(run_id, f"step {number}")
    for _ in range(120):
        fake_api.say(run_id, "", type="tool_call", tool_call={"id": "1", "name": "look"})
    fake_api.end(run_id)
    assert client.runs.run(run_id).wait().answer == "step 199"


def test_a_failed_run_has_its_reason_and_raises_only_with_check(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(
        run_id,
        "",
        type="tool_result",
        tool_result={"tool_call_id": "1", "error": "no such invoice"},
    )
    fake_api.end(run_id, "failed")
    run = client.runs.run(run_id).wait()
    assert run.failure == "no such invoice"
    fake_api.say(run_id, "the lookup failed", type="session_error", role="system")
    with pytest.raises(duvo.RunFailed, match="the lookup failed") as caught:
        client.runs.run(run_id).wait(check=True)
    assert caught.value.run == run


@pytest.mark.parametrize("word", ["interrupted", "stopped", "cancelled"])
def test_a_stopped_run_is_stopped_whatever_the_server_calls_it(
    fake_api: FakeAPI, client: duvo.Client, word: str
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id, word)
    run = client.runs.run(run_id).wait()
    assert run.status == "stopped"
    assert run.raw["run"]["status"] == word
    with pytest.raises(duvo.RunStopped):
        run.wait(check=True)


def test_an_unknown_status_never_ends_a_wait(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start("pondering")
    run = client.runs.run(run_id)
    with pytest.raises(duvo.WaitTimeout) as caught:
        run.wait(timeout=100)
    assert run.status == "pondering"
    assert caught.value.run_id == run_id
    assert caught.value.timeout == 100


def test_the_timeout_of_a_wait_limits_its_whole_duration(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    release = threading.Event()
    fake_api.before = lambda seen: release.wait(60) and None

    try:
        ends_in_time(1, lambda: client.runs.run(run_id).wait(timeout=1))
    finally:
        release.set()


def wait_for_run(client: duvo.Client, run_id: str, timeout: float) -> object:
    return client.runs.run(run_id).wait(timeout=timeout)


def follow_run(client: duvo.Client, run_id: str, timeout: float) -> object:
    return list(client.runs.run(run_id).messages(follow=True, timeout=timeout))


def watch_run(client: duvo.Client, run_id: str, timeout: float) -> object:
    return list(client.runs.watch([run_id], messages=True, timeout=timeout))


def wait_for_runs(client: duvo.Client, run_id: str, timeout: float) -> object:
    return client.runs.wait_all([run_id], timeout=timeout)


WAITS = [wait_for_run, follow_run, watch_run, wait_for_runs]
Wait = Callable[[duvo.Client, str, float], object]


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("answer", [(502, {"error": "x"}), (429, {"error": "x"}), (200, b"<html>")])
def test_the_error_of_a_wait_that_read_nothing_has_the_last_failure_as_its_cause(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, wait: Wait, answer: Any
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: answer
    with pytest.raises(duvo.WaitTimeout, match=r"could not be read within 2 s \(GET ") as caught:
        wait(client, run_id, 2)
    assert "still running" not in str(caught.value)
    assert isinstance(caught.value.__cause__, duvo.DuvoError)
    assert not caught.value.was_read


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("timeout", [0, 30])
def test_the_error_of_a_wait_mentions_that_the_run_waits_for_a_human(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, wait: Wait, timeout: int
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    with pytest.raises(duvo.WaitTimeout, match=r"wait.* for a human") as caught:
        wait(client, run_id, timeout)
    assert "is still running" not in str(caught.value)
    assert "are still running" not in str(caught.value)


@pytest.mark.parametrize("wait", WAITS)
def test_the_error_of_a_wait_that_ends_in_an_outage_mentions_the_outage(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, wait: Wait
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (502, {"error": "x"}) if clock.time > 1010 else None
    with pytest.raises(duvo.WaitTimeout, match="as far as could be read") as caught:
        wait(client, run_id, 40)
    assert isinstance(caught.value.__cause__, duvo.ServerError)
    assert caught.value.was_read


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("hold", ["25", ""])
def test_a_timeout_of_zero_reads_once(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, wait: Wait, hold: str
) -> None:
    fake_api.headers["duvo-long-poll"] = hold
    run_id = fake_api.start()
    fake_api.say(run_id, "working")
    client.runs.get(run_id)
    fake_api.requests.clear()
    with pytest.raises(duvo.WaitTimeout, match="within 0 s") as caught:
        wait(client, run_id, 0)
    assert caught.value.was_read
    assert caught.value.timeout == 0
    assert clock.sleeps == []
    assert len(fake_api.requests) == len({seen.target for seen in fake_api.requests})
    assert not any("wait" in seen.query for seen in fake_api.requests)
    fake_api.end(run_id)
    wait(client, run_id, 0)


@pytest.mark.parametrize("wait", WAITS)
def test_a_timeout_of_zero_sends_a_failed_read_once(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, wait: Wait
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (502, {"error": "x"})
    with pytest.raises(duvo.WaitTimeout, match="could not be read"):
        wait(client, run_id, 0)
    assert len(fake_api.requests) == 1
    assert clock.sleeps == []


def test_a_wait_succeeds_although_the_conversation_may_not_be_read(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    fake_api.before = lambda seen: (
        (403, {"error": "forbidden"}) if seen.path.endswith("/messages") else None
    )
    run = client.runs.run(run_id).wait()
    assert run.status == "completed"
    with pytest.raises(duvo.NotLoaded):
        _ = run.answer


def test_a_pending_request_is_logged_once_with_the_command_that_answers_it_while_waiting_continues(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock.on_sleep = lambda now: fake_api.end(run_id) if now > 1100 else None
    assert client.runs.run(run_id).wait().status == "completed"
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "Post INV-1042?" in warnings[0]
    assert f"client.runs.run({run_id!r}).respond(approve=True)" in warnings[0]


@pytest.mark.parametrize(("word", "sent"), [("approve", True), ("deny", False)])
def test_on_request_approve_and_deny_decide_approvals(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, word: Any, sent: bool
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.end(run_id)
    client.runs.run(run_id).wait(on_request=word)
    assert [one.json for one in fake_api.requests if one.method == "POST"] == [{"approved": sent}]


@pytest.mark.parametrize("word", ["approve", "deny", "raise"])
def test_on_request_words_never_answer_a_question(
    fake_api: FakeAPI, client: duvo.Client, word: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTION)
    with pytest.raises(duvo.HumanRequestPending, match="Which cost centre") as caught:
        client.runs.run(run_id).wait(on_request=word)
    assert caught.value.request is not None
    assert caught.value.request.questions[0].key == "centre"
    assert not [one for one in fake_api.requests if one.method == "POST"]


@pytest.mark.parametrize("answers", [{"centre": "A"}, ["centre=A"], {"1": "A", "other": "x"}])
def test_standing_answers_are_sent_to_questions(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, answers: Any
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTION)
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.end(run_id)
    client.runs.run(run_id).wait(on_request="approve", answers=answers)
    sent = [one.json for one in fake_api.requests if one.method == "POST"]
    assert sent == [{"answers": {"Which cost centre?": "A"}}]


@pytest.mark.parametrize("choice", [None, "leave", lambda request: None])
def test_standing_answers_to_other_questions_are_warned_of_once(
    fake_api: FakeAPI,
    client: duvo.Client,
    clock: StoppedClock,
    caplog: pytest.LogCaptureFixture,
    choice: Any,
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTION)
    with pytest.raises(duvo.WaitTimeout):
        client.runs.run(run_id).wait(timeout=60, on_request=choice, answers=["center=A"])
    warnings = [one.message for one in caplog.records if "center" in one.message]
    assert warnings == [
        f"run {run_id}: no question of its request has the key 'center'; it has 'centre'"
    ]


def test_standing_answers_that_were_used_are_not_warned_of_at_the_next_request(
    fake_api: FakeAPI,
    client: duvo.Client,
    clock: StoppedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTION)
    later = {"type": "question", "title": "?", "questions": [{"question": "Which language?"}]}
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.ask(run_id, **later)
    with pytest.raises(duvo.WaitTimeout):
        client.runs.run(run_id).wait(timeout=60, answers={"centre": "A"})
    assert [one.json for one in fake_api.requests if one.method == "POST"]
    assert not [one for one in caplog.records if "has the key" in one.message]


@pytest.mark.parametrize("choice", [None, "leave", "approve", lambda request: {"centre": "A"}])
@pytest.mark.parametrize("answers", [["centre=A", "1=B"], {"centre": ["A", "B"]}])
def test_standing_answers_that_contradict_each_other_leave_a_request_open(
    fake_api: FakeAPI,
    client: duvo.Client,
    caplog: pytest.LogCaptureFixture,
    choice: Any,
    answers: Any,
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, **QUESTION)
    with pytest.raises(duvo.HumanRequestPending, match="contradict each other: the question"):
        client.runs.run(run_id).wait(on_request=choice, answers=answers)
    assert not [one for one in fake_api.requests if one.method == "POST"]
    why = "the question 'centre' takes one answer, but 'A' and 'B' are given"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"run {run_id}: its request is left open: {why}"
    ]


def test_on_request_is_called_once_for_each_request_and_may_leave_it_open(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    asked: list[str] = []
    sleeps = itertools.count()

    def change(now: float) -> None:
        sleep = next(sleeps)
        if sleep == 5:
            fake_api.ask(run_id, title="And INV-1043?")
        if sleep > 6 and not fake_api.pending:
            fake_api.end(run_id)

    def decide(request: duvo.HumanRequest) -> bool | None:
        asked.append(request.title)
        return None if len(asked) == 1 else True

    clock.on_sleep = change
    client.runs.run(run_id).wait(on_request=decide)
    assert asked == ["Post INV-1042?", "And INV-1043?"]


def test_a_wait_continues_after_a_request_was_answered_elsewhere(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)

    def decide(request: duvo.HumanRequest) -> bool:
        fake_api.end(run_id)
        return True

    assert client.runs.run(run_id).wait(on_request=decide).status == "completed"


def test_a_reply_that_may_have_arrived_is_not_sent_again_while_the_run_cannot_be_read(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    reads_that_fail = iter(range(5))

    def drop(seen: ReceivedRequest) -> Any:
        if seen.path.endswith("/respond"):
            fake_api.before = lambda seen: next(reads_that_fail, None) and (502, {})
            fake_api.end(run_id)
            raise DropConnection

    fake_api.after = drop
    fake_api.before = lambda seen: None
    assert client.runs.run(run_id).wait(on_request="approve").status == "completed"
    assert fake_api.count("POST", "/respond") == 1


def test_the_answer_is_found_in_pages_smaller_than_requested(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    for number in range(100):
        fake_api.say(run_id, f"step {number}")
    for _ in range(70):
        fake_api.say(run_id, "", type="tool_call", tool_call={"id": "1", "name": "look"})
    fake_api.end(run_id)

    fake_api.before = small_pages
    assert client.runs.run(run_id).wait().answer == "step 99"


def test_an_invalid_on_request_is_refused_before_anything_is_sent(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    with pytest.raises(duvo.ConfigError, match="approve, deny, raise, leave"):
        client.runs.run(fake_api.start()).wait(on_request="yes")  # type: ignore[arg-type]
    assert not fake_api.requests


def test_ask_starts_a_run_and_returns_it_with_its_answer(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    def work(now: float) -> None:
        run_id = next(iter(fake_api.runs))
        fake_api.say(run_id, "42")
        fake_api.end(run_id)

    clock.on_sleep = work
    assert client.runs.ask("Invoice approver", "How many?").answer == "42"


def test_a_wait_after_a_sent_message_ignores_the_earlier_end(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "first")
    fake_api.end(run_id)
    run = client.runs.run(run_id).wait()
    before = dict(fake_api.runs[run_id])
    run.send_message("again")
    with pytest.raises(duvo.NotLoaded):
        _ = run.answer
    reads = itertools.count()
    fake_api.after = lambda seen: (
        (200, {"run": before}) if seen.path.endswith(run_id) and next(reads) < 2 else None
    )

    def work(now: float) -> None:
        if now > 1005:
            fake_api.say(run_id, "second")
            fake_api.end(run_id)

    clock.on_sleep = work
    assert run.wait().answer == "second"
    assert clock.time > 1005


@pytest.mark.parametrize(
    ("choice", "asked", "text"),
    [
        ("approve", {"title": "Post it?"}, "approved 'Post it?'"),
        ("deny", {"title": "Post it?"}, "denied 'Post it?'"),
        ("leave", QUESTION, "answered 'Which cost centre?' ('Which cost centre?': 'A')"),
    ],
)
def test_replies_are_logged(
    fake_api: FakeAPI,
    client: duvo.Client,
    clock: StoppedClock,
    caplog: pytest.LogCaptureFixture,
    choice: Any,
    asked: dict[str, Any],
    text: str,
) -> None:
    caplog.set_level(logging.INFO, "duvo")
    run_id = fake_api.start()
    fake_api.ask(run_id, **asked)
    clock.on_sleep = lambda now: fake_api.end(run_id)
    client.runs.run(run_id).wait(on_request=choice, answers={"centre": "A"})
    assert f"run {run_id}: {text}" in caplog.messages


def test_a_wait_continues_after_a_429(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "duvo")
    run_id = fake_api.start()
    fake_api.end(run_id)
    fake_api.before = lambda seen: (
        (429, {"error": "slow down"}, {"retry-after": "90"}) if clock.time < 1080 else None
    )
    assert client.runs.run(run_id).wait().is_finished
    assert clock.sleeps == [90]
    assert any(one.levelno == logging.INFO and "90 s" in one.getMessage() for one in caplog.records)


def test_polls_are_less_frequent_when_little_of_the_rate_limit_is_left(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    used = itertools.count(1)

    def limits(seen: Any) -> None:
        # Fifty other clients send 100 requests between two of this one.
        left = max(0, 300 - 100 * next(used))
        fake_api.headers.update(
            {
                "ratelimit-limit": "300",
                "ratelimit-remaining": str(left),
                "ratelimit-reset": "55",
            }
        )
        if next(used) > 40:
            fake_api.end(run_id)

    fake_api.before = limits
    client.runs.run(run_id).wait()
    assert max(clock.sleeps) > 40
