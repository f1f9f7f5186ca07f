"""Following a run: every message once and in order, until the run has certainly ended."""

from __future__ import annotations

import itertools
import json
import threading
import time
import tracemalloc
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import duvo
from tests.servers.fake_api import DropConnection, FakeAPI, ReceivedRequest, small_pages
from tests.support.clocks import LongPauses, StoppedClock
from tests.support.lateness import AT_MOST, lateness


def contents(messages: Any) -> list[str]:
    return [message.content for message in messages]


def test_messages_of_many_pages_are_yielded_once(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    for number in range(173):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    assert contents(client.runs.run(run_id).messages()) == [str(n) for n in range(173)]
    assert contents(client.runs.run(run_id).messages(follow=True)) == [str(n) for n in range(173)]


def test_a_follow_yields_new_messages_until_the_run_ends(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    numbers = itertools.count()

    def work(now: float) -> None:
        number = next(numbers)
        fake_api.say(run_id, str(number))
        if number == 120:
            fake_api.end(run_id)

    clock.on_sleep = work
    assert contents(client.runs.run(run_id).messages(follow=True)) == [str(n) for n in range(121)]


def test_messages_that_arrive_with_the_final_status_are_yielded(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "first")

    def late(seen: ReceivedRequest) -> None:
        if seen.path.endswith(run_id) and fake_api.runs[run_id]["status"] == "running":
            fake_api.end(run_id)
            fake_api.say(run_id, "said as it ended")

    fake_api.before = late
    assert contents(client.runs.run(run_id).messages(follow=True)) == ["first", "said as it ended"]


def test_a_pending_request_is_yielded_once_and_the_follow_continues_when_it_is_answered(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "checking")
    request_id = fake_api.ask(run_id)
    sleeps = itertools.count(1)

    def answer(now: float) -> None:
        if next(sleeps) == 4:
            del fake_api.pending[run_id]
            fake_api.runs[run_id]["status"] = "running"
            fake_api.say(run_id, "posted")
            fake_api.end(run_id)

    clock.on_sleep = answer
    messages = list(client.runs.run(run_id).messages(follow=True))
    assert [(one.type, one.content) for one in messages] == [
        ("text", "checking"),
        ("human_request", "Post INV-1042?"),
        ("text", "posted"),
    ]
    assert messages[1].is_pending_request
    assert messages[1].id == request_id
    assert messages[1].request is not None
    assert messages[1].request.type == "approval"


def test_messages_before_a_request_are_yielded_before_it(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()

    def ask_meanwhile(seen: ReceivedRequest) -> None:
        if seen.path.endswith(run_id) and not fake_api.pending:
            fake_api.say(run_id, "here is why")
            fake_api.ask(run_id)

    fake_api.before = ask_meanwhile
    messages = client.runs.run(run_id).messages(follow=True)
    assert [next(messages).type, next(messages).type] == ["text", "human_request"]


def test_a_request_that_the_server_sends_as_a_message_is_yielded_once(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    request_id = fake_api.ask(run_id)
    fake_api.say(run_id, "Post?", type="human_request", status="pending", id=request_id)
    messages = list(client.runs.run(run_id).messages())
    assert [one.id for one in messages] == [request_id]
    assert messages[0].is_pending_request


def test_a_follow_with_on_request_replies(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.end(run_id)
    run = client.runs.run(run_id)
    assert len(list(run.messages(follow=True, on_request="approve"))) == 1
    assert run.status == "completed"
    assert [one.json for one in fake_api.requests if one.path.endswith("/respond")] == [
        {"approved": True}
    ]


@pytest.mark.parametrize("shift", ["inserted", "removed"])
def test_pages_that_shift_lose_and_repeat_nothing(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, shift: str
) -> None:
    run_id = fake_api.start()
    for number in range(60):
        fake_api.say(run_id, str(number))
    sleeps = itertools.count(1)

    def change(now: float) -> None:
        sleep = next(sleeps)
        conversation = fake_api.conversations[run_id]
        if sleep == 2:
            if shift == "inserted":
                fake_api.say(run_id, "came late")
                conversation.insert(55, conversation.pop())
            else:
                del conversation[20]
            fake_api.say(run_id, "60")
        if sleep == 3:
            fake_api.end(run_id)

    clock.on_sleep = change
    got = contents(client.runs.run(run_id).messages(follow=True))
    assert [one for one in got if one != "came late"] == [str(n) for n in range(61)]
    assert got.count("came late") == (1 if shift == "inserted" else 0)


def test_a_page_of_another_offset_is_read_again(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    for number in range(120):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    pages: list[tuple[int, Any]] = []

    def stale(seen: ReceivedRequest) -> tuple[int, Any] | None:
        if not seen.path.endswith("/messages"):
            return None
        pages.append(fake_api.answer(seen))
        return pages[0] if len(pages) == 2 else None

    fake_api.after = stale
    got = contents(client.runs.run(run_id).messages(follow=True))
    assert got == [str(n) for n in range(120)]


@pytest.mark.parametrize("seed", range(12))
def test_a_follow_ends_only_after_the_final_status_was_read(
    fake_api: FakeAPI, client: duvo.Client, seed: int
) -> None:
    """Every second response is cut at some byte, and the run never ends by itself."""
    run_id = fake_api.start()
    for number in range(70):
        fake_api.say(run_id, str(number))
    sends = itertools.count(seed)
    final_status_sent = False

    def cut(seen: ReceivedRequest) -> Any:
        nonlocal final_status_sent
        number = next(sends)
        status, body = fake_api.answer(seen)
        if number == seed + 14:
            fake_api.say(run_id, "70")
            fake_api.end(run_id)
        if number % 2 and number < seed + 40:
            import json

            payload = json.dumps(body).encode()
            at = (number * 7919 + seed * 104729) % len(payload)
            return status, payload[:at], {"content-length": str(len(payload))}
        if seen.path.endswith(run_id) and body["run"]["status"] == "completed":
            final_status_sent = True
        return status, body

    fake_api.before = cut
    client._driver.api.clock = StoppedClock()
    got = contents(client.runs.run(run_id).messages(follow=True))
    assert final_status_sent
    assert got == [str(n) for n in range(71)]


def test_an_outage_of_a_minute_loses_and_repeats_nothing_and_is_logged_once(
    fake_api: FakeAPI,
    client: duvo.Client,
    clock: StoppedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "before")
    began = clock.time + 5

    def bad_gateway(seen: ReceivedRequest) -> Any:
        if began < clock.time < began + 60:
            return 502, b"<html>bad gateway</html>", {"content-type": "text/html"}
        return None

    def work(now: float) -> None:
        if now > began + 70 and fake_api.runs[run_id]["status"] == "running":
            fake_api.say(run_id, "after")
            fake_api.end(run_id)

    fake_api.before = bad_gateway
    clock.on_sleep = work
    run = client.runs.run(run_id)
    assert contents(run.messages(follow=True)) == ["before", "after"]
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(warnings) == 2
    assert "cannot be read, still trying" in warnings[0]
    assert "502" in warnings[0]
    assert "can be read again" in warnings[1]


def test_an_outage_beyond_the_limit_raises_the_last_error(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (503, {"error": "down"})
    began = clock.time
    with pytest.raises(duvo.ServerError):
        list(client.runs.run(run_id).messages(follow=True))
    assert 300 < clock.time - began < 320


@pytest.mark.parametrize("given", ["message", "id", "id in capitals"])
def test_after_resumes_behind_a_message(fake_api: FakeAPI, client: duvo.Client, given: str) -> None:
    run_id = fake_api.start()
    for number in range(130):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    run = client.runs.run(run_id)
    seventh = list(run.messages(limit=8))[7]
    ids = {"id": seventh.id, "id in capitals": seventh.id.upper()}
    got = contents(run.messages(follow=True, after=ids.get(given, seventh)))
    assert got == [str(n) for n in range(8, 130)]


def test_after_resumes_behind_a_pending_request_whose_id_is_in_capitals(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "one")
    request_id = fake_api.ask(run_id)
    assert contents(client.runs.run(run_id).messages(after=request_id.upper())) == []


def test_the_message_of_after_is_searched_from_the_end(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    ids = [fake_api.say(run_id, str(number)) for number in range(5000)]
    fake_api.end(run_id)
    assert contents(client.runs.run(run_id).messages(follow=True, after=ids[-3])) == [
        "4998",
        "4999",
    ]
    assert len(fake_api.requests) < 8


def test_the_message_of_after_is_found_in_pages_smaller_than_requested(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    ids = [fake_api.say(run_id, str(number)) for number in range(100)]
    fake_api.before = small_pages
    got = contents(client.runs.run(run_id).messages(after=ids[80]))
    assert got == [str(number) for number in range(81, 100)]


@pytest.mark.parametrize("size", [20, 2])
def test_small_pages_that_shift_lose_and_repeat_nothing(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, size: int
) -> None:
    run_id = fake_api.start()
    for number in range(60):
        fake_api.say(run_id, str(number))

    def shift_at_end(now: float) -> None:
        if fake_api.runs[run_id]["status"] == "running":
            del fake_api.conversations[run_id][5]
            for number in range(60, 90):
                fake_api.say(run_id, str(number))
            fake_api.end(run_id)

    fake_api.before = lambda seen: small_pages(seen, size)
    clock.on_sleep = shift_at_end
    got = contents(client.runs.run(run_id).messages(follow=True))
    assert got == [str(number) for number in range(90)]


def test_an_unknown_message_of_after_is_an_error(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "one")
    with pytest.raises(duvo.NotFound, match="has no message 'nonsense'"):
        next(client.runs.run(run_id).messages(after="nonsense"))


def test_last_limits_a_conversation_to_its_last_messages(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    for number in range(75):
        fake_api.say(run_id, str(number))
    assert contents(client.runs.run(run_id).messages(last=3)) == ["72", "73", "74"]
    assert contents(client.runs.run(run_id).messages(last=300)) == [str(n) for n in range(75)]


def test_limit_omits_the_pending_request_unless_the_end_is_reached(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    for number in range(75):
        fake_api.say(run_id, str(number))
    fake_api.ask(run_id)
    run = client.runs.run(run_id)
    assert contents(run.messages(offset=10, limit=60)) == [str(n) for n in range(10, 70)]
    assert [one.type for one in run.messages(offset=73, limit=2)] == [
        "text",
        "text",
        "human_request",
    ]
    messages = run.messages(limit=1)
    list(messages)
    assert messages.total == 75


def test_the_offset_of_the_first_message_is_known_wherever_reading_begins(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    ids = [fake_api.say(run_id, str(number)) for number in range(75)]
    run = client.runs.run(run_id)
    for messages, offset in (
        (run.messages(), 0),
        (run.messages(offset=3), 3),
        (run.messages(last=5), 70),
        (run.messages(after=ids[9], limit=2), 10),
    ):
        assert messages.offset is None
        assert next(messages).content == str(offset)
        assert messages.offset == offset


def test_the_timeout_of_a_follow_limits_its_whole_duration(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    release = threading.Event()
    fake_api.before = lambda seen: release.wait(60) and None

    def attempt() -> None:
        with pytest.raises(duvo.WaitTimeout, match="could not be read within 1 s"):
            list(client.runs.run(run_id).messages(follow=True, timeout=1))

    try:
        assert lateness(1, attempt) <= AT_MOST
    finally:
        release.set()


def test_a_run_that_was_just_started_may_be_not_found_at_first(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run = client.runs.start("Invoice approver", message="go")
    fake_api.end(run.id)
    fake_api.before = lambda seen: (404, {"error": "not_found"}) if clock.time < 1005 else None
    assert contents(run.messages(follow=True)) == ["go"]


def test_a_final_status_from_before_a_sent_message_does_not_end_a_follow(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    before = dict(fake_api.runs[run_id])
    run = client.runs.get(run_id)
    run.send_message("once more")
    reads = itertools.count()

    def still_old(seen: ReceivedRequest) -> Any:
        if seen.path.endswith(run_id) and next(reads) < 2:
            return 200, {"run": before}
        return None

    fake_api.after = still_old
    clock.on_sleep = lambda now: (
        None if run.status == "completed" else (fake_api.say(run_id, "done"), fake_api.end(run_id))
    )
    assert contents(run.messages(follow=True)) == ["once more", "done"]


def test_an_unchanged_final_status_ends_a_follow_after_some_seconds(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    run = client.runs.get(run_id)
    before = dict(fake_api.runs[run_id])
    run.send_message("once more")
    fake_api.after = lambda seen: (200, {"run": before}) if seen.path.endswith(run_id) else None
    began = clock.time
    list(run.messages(follow=True))
    assert 10 <= clock.time - began < 25


def test_closing_a_follow_from_another_thread_ends_its_wait(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    client._driver.api.clock = clock = LongPauses()
    messages = client.runs.run(run_id).messages(follow=True)

    def close() -> None:
        assert clock.is_asleep.wait(30)
        messages.close()

    thread = threading.Thread(target=close)
    began = time.monotonic()
    thread.start()
    assert list(messages) == []
    assert time.monotonic() - began < 30
    thread.join()


def test_long_polls_are_used_only_if_the_server_offers_them(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.headers["duvo-long-poll"] = "25"
    holds: list[str] = []

    def hold(seen: ReceivedRequest) -> None:
        if "wait" in seen.query:
            holds.append(seen.query["wait"])
            if seen.path.endswith("/messages"):
                fake_api.say(run_id, f"after hold {len(holds)}")
                if len(holds) == 3:
                    fake_api.end(run_id)

    fake_api.before = hold
    assert contents(client.runs.run(run_id).messages(follow=True)) == [
        "after hold 1",
        "after hold 2",
        "after hold 3",
    ]
    assert "wait" not in fake_api.requests[0].query
    assert holds == ["25.0", "25.0", "25.0"]


def test_a_server_without_long_polls_gets_no_wait_parameter(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock.on_sleep = lambda now: fake_api.end(run_id) if now > 1060 else None
    run = client.runs.run(run_id)
    list(run.messages(follow=True))
    run.wait()
    assert {name for one in fake_api.requests for name in one.query} == {"limit", "offset"}


def test_a_page_whose_connection_drops_is_read_again(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    for number in range(60):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    sends = itertools.count()

    def drop(seen: ReceivedRequest) -> None:
        if next(sends) % 3:
            raise DropConnection

    fake_api.before = drop
    assert contents(client.runs.run(run_id).messages(follow=True)) == [str(n) for n in range(60)]


@pytest.mark.long
@pytest.mark.blocking_only
def test_memory_of_a_follow_does_not_grow_with_the_number_of_messages(
    client: duvo.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from duvo._http.request import Request

    total = 40_000

    def send(request: Request, closed: threading.Event | None) -> duvo.Response:
        if not request.path.endswith("/messages"):
            run = {"id": "r", "status": "completed"}
            return duvo.Response(200, {}, json.dumps({"run": run}).encode())
        offset = int(parse_qs(urlsplit(request.target).query)["offset"][0])
        page = [
            {
                "id": f"message-{number}",
                "type": "text",
                "role": "assistant",
                "timestamp": "2026-01-01T00:00:00.000Z",
                "text_content": f"number {number}",
            }
            for number in range(offset, min(total, offset + 50))
        ]
        data = {"messages": page, "total": total, "limit": 50, "offset": offset}
        return duvo.Response(200, {}, json.dumps(data).encode())

    monkeypatch.setattr(client._driver.transport, "send", send)
    messages = client.runs.run("r").messages(follow=True)
    for _ in range(1000):
        next(messages)
    tracemalloc.start()
    try:
        at_first = tracemalloc.get_traced_memory()[0]
        count = sum(1 for _ in messages)
        assert count == total - 1000
        assert tracemalloc.get_traced_memory()[0] - at_first < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_run_followed_from_its_beginning_has_its_answer(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    first = fake_api.say(run_id, "the answer")
    fake_api.say(run_id, "tidying up", type="thinking")
    fake_api.end(run_id)
    run = client.runs.run(run_id)
    list(run.messages(follow=True))
    assert run.answer == "the answer"
    partly = client.runs.run(run_id)
    list(partly.messages(follow=True, after=first))
    with pytest.raises(duvo.NotLoaded, match=r"\.wait\(\)"):
        _ = partly.answer


def test_a_request_that_is_already_pending_is_yielded_before_any_long_poll(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    last = fake_api.say(run_id, "checking")
    fake_api.ask(run_id)
    fake_api.headers["duvo-long-poll"] = "25"
    client.runs.get(run_id)
    message = next(client.runs.run(run_id).messages(follow=True, after=last))
    assert message.is_pending_request
    assert not [one for one in fake_api.requests if "wait" in one.query]
