"""Contradictory servers: no message is lost, no loop is endless, all errors are the SDK's."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import requests

import duvo
from tests.servers.fake_api import AGENT, KEY, DropConnection, FakeAPI, ReceivedRequest
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock
from tests.support.lateness import AT_MOST, ends_in_time, lateness


def contents(messages: Any) -> list[str]:
    return [message.content for message in messages]


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@pytest.fixture
def long_run(fake_api: FakeAPI) -> str:
    """A completed run of 120 messages."""
    run_id = fake_api.start()
    for number in range(120):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    return run_id


def pages(
    fake_api: FakeAPI, change: Callable[[int, dict[str, Any]], dict[str, Any]]
) -> Callable[[ReceivedRequest], Any]:
    """Make a fault that changes each page of messages, given the number of earlier ones."""
    count = itertools.count()

    def answer(seen: ReceivedRequest) -> Any:
        if not seen.path.endswith("/messages") or seen.method != "GET":
            return None
        status, body = fake_api.answer(seen)
        return status, change(next(count), body)

    return answer


WRONG = {
    "one empty page": lambda count, page: {**page, "messages": []} if count == 1 else page,
    "a total that is the page's length": lambda count, page: {
        **page,
        "total": len(page["messages"]),
    },
    "a total that promises more": lambda count, page: {**page, "total": 500},
    "no total": lambda count, page: {k: v for k, v in page.items() if k != "total"},
    "a total that is no number": lambda count, page: {**page, "total": "many"},
    "a total beyond counting": lambda count, page: {**page, "total": 1e300},
    "a total of null": lambda count, page: {**page, "total": None},
    "a total that is true": lambda count, page: {**page, "total": True},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_conversation_is_complete_whatever_total_the_server_sends(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, long_run: str, wrong: str
) -> None:
    run = client.runs.run(long_run)
    for read in (
        lambda: contents(run.messages()),
        lambda: contents(run.messages(follow=True)),
    ):
        fake_api.before = pages(fake_api, WRONG[wrong])
        assert read() == numbers(120)
    fake_api.before = pages(fake_api, WRONG[wrong])
    assert client.runs.run(long_run).wait().answer == "119"
    assert len(fake_api.requests) < 80


def test_small_pages_without_a_total_are_all_read(
    fake_api: FakeAPI, client: duvo.Client, long_run: str
) -> None:
    fake_api.before = pages(
        fake_api, lambda count, page: {"messages": page["messages"][:20], "offset": page["offset"]}
    )
    run = client.runs.run(long_run)
    assert contents(run.messages()) == numbers(120)
    assert contents(run.messages(last=3)) == ["117", "118", "119"]


def test_a_shift_while_the_end_is_read_loses_no_message(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    for number in range(100):
        fake_api.say(run_id, str(number))

    def change_as_it_ends(seen: ReceivedRequest) -> None:
        if seen.path.endswith(run_id) and fake_api.runs[run_id]["status"] == "running":
            del fake_api.conversations[run_id][70]
            for number in range(100, 120):
                fake_api.say(run_id, str(number))
            fake_api.end(run_id)

    fake_api.before = change_as_it_ends
    assert contents(client.runs.run(run_id).messages(follow=True)) == numbers(120)


def test_a_replica_that_lags_at_the_end_is_read_again(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    for number in range(10):
        fake_api.say(run_id, str(number))

    def end(now: float) -> None:
        if fake_api.runs[run_id]["status"] == "running":
            fake_api.say(run_id, "10")
            fake_api.end(run_id)
            fake_api.before = pages(
                fake_api,
                lambda count, page: (
                    {**page, "messages": page["messages"][:-2], "total": 9} if count < 3 else page
                ),
            )

    clock.on_sleep = end
    assert contents(client.runs.run(run_id).messages(follow=True)) == numbers(11)


def test_a_replaced_message_does_not_end_a_follow(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "preparing")
    sleeps = itertools.count()

    def replace(now: float) -> None:
        sleep = next(sleeps)
        if sleep == 1:
            fake_api.conversations[run_id].clear()
            fake_api.say(run_id, "prepared")
        if sleep == 12:
            fake_api.end(run_id)

    clock.on_sleep = replace
    assert contents(client.runs.run(run_id).messages(follow=True)) == ["preparing", "prepared"]


def test_reading_a_part_of_a_conversation_leaves_the_answer_intact(
    fake_api: FakeAPI, client: duvo.Client, long_run: str
) -> None:
    run = client.runs.run(long_run).wait()
    next(run.messages(follow=True))
    list(run.messages(last=1))
    assert run.answer == "119"


def test_an_error_does_not_end_an_iterator(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    messages = client.runs.run(run_id).messages(follow=True, on_request="raise")
    assert next(messages).is_pending_request
    for _ in range(2):
        with pytest.raises(duvo.HumanRequestPending):
            next(messages)


def test_a_closed_iterator_has_no_more_messages(
    fake_api: FakeAPI, client: duvo.Client, long_run: str
) -> None:
    messages = client.runs.run(long_run).messages(follow=True)
    next(messages)
    messages.close()
    assert list(messages) == []


def test_a_follow_continues_after_a_request_that_was_answered_since(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "checking")
    fake_api.ask(run_id)
    run = client.runs.run(run_id)
    asked = list(run.messages())[-1]
    run.respond(approve=True)
    fake_api.say(run_id, "posted")
    fake_api.end(run_id)
    assert contents(run.messages(follow=True, after=asked)) == ["posted"]
    with pytest.raises(duvo.NotFound, match="give the object, or the message before it"):
        next(run.messages(follow=True, after=asked.id))


def test_a_request_before_the_start_of_a_follow_is_replied_to(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    request_id = fake_api.ask(run_id)
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.end(run_id)
    run = client.runs.run(run_id)
    assert list(run.messages(follow=True, after=request_id, on_request="approve")) == []
    assert run.status == "completed"


@pytest.mark.parametrize(
    "fault", ["502 after it was done", "dropped before", "429", "dropped after"]
)
def test_a_reply_survives_an_outage_and_is_sent_once(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, fault: str
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    faults = itertools.count()
    done = itertools.count()

    def before(seen: ReceivedRequest) -> Any:
        if seen.path.endswith("/respond") and not next(faults):
            if fault == "dropped before":
                raise DropConnection
            if fault == "429":
                return 429, {"error": "slow down"}, {"retry-after": "3"}
        return None

    def after(seen: ReceivedRequest) -> Any:
        if seen.path.endswith("/respond"):
            next(done)
            if fault == "dropped after":
                raise DropConnection
            if fault == "502 after it was done":
                return 502, {"error": "bad gateway"}
        return None

    fake_api.before, fake_api.after = before, after
    clock.on_sleep = lambda now: None if fake_api.pending else fake_api.end(run_id)
    assert client.runs.run(run_id).wait(on_request="approve", timeout=100).status == "completed"
    assert next(done) == 1


@contextmanager
def held(fake_api: FakeAPI, ending: str) -> Iterator[None]:
    """Hold requests whose path has this ending until the end of a block."""
    release = threading.Event()

    def hold(seen: ReceivedRequest) -> None:
        if seen.path.endswith(ending):
            release.wait(60)

    fake_api.before = hold
    try:
        yield
    finally:
        release.set()


def test_a_reply_ends_at_the_timeout_of_its_wait(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)

    with held(fake_api, "/respond"):
        ends_in_time(1, lambda: client.runs.run(run_id).wait(timeout=1, on_request="approve"))


@pytest.mark.parametrize("slow", ["/agents", "/runs"])
def test_ask_ends_at_its_timeout(fake_api: FakeAPI, client: duvo.Client, slow: str) -> None:
    def attempt() -> None:
        with pytest.raises(duvo.WaitTimeout, match="no answer within 1 s"):
            client.runs.ask("Invoice approver", "go", timeout=1)

    with held(fake_api, slow):
        assert lateness(1, attempt) <= AT_MOST


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_not_positive_is_refused(
    fake_api: FakeAPI, client: duvo.Client, timeout: float
) -> None:
    with pytest.raises(duvo.ConfigError, match="0 or more"):
        client.runs.run(fake_api.start()).wait(timeout=timeout)


@pytest.mark.parametrize("retry_after", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_of_zero_does_not_make_retries_spin(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, retry_after: str, status: int
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    fake_api.before = lambda seen: (
        (status, {"error": "x"}, {"retry-after": retry_after}) if clock.time < 1030 else None
    )
    client.runs.run(run_id).wait()
    assert len(fake_api.requests) < 40


def test_a_retry_after_of_a_day_is_an_outage(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.before = lambda seen: (503, {"error": "x"}, {"retry-after": "1e12"})
    began = clock.time
    with pytest.raises(duvo.ServerError):
        client.runs.run(fake_api.start()).wait()
    assert clock.time - began < 320


@pytest.mark.parametrize("offered", ["25", "-5", "0.0001", "soon"])
def test_held_requests_that_return_at_once_do_not_spin(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, offered: str
) -> None:
    run_id = fake_api.start()
    fake_api.headers["duvo-long-poll"] = offered
    for read in (
        lambda: list(client.runs.run(run_id).messages(follow=True, timeout=60)),
        lambda: client.runs.run(run_id).wait(timeout=60),
    ):
        fake_api.requests.clear()
        with pytest.raises(duvo.WaitTimeout):
            read()
        assert len(fake_api.requests) < 60


def test_a_list_that_repeats_a_page_forever_is_an_error(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.start()
    item = fake_api.answer(
        ReceivedRequest("GET", "/v2/teams", {"authorization": f"Bearer {KEY}"}, b"")
    )
    assert item[0] == 200
    once = [{"id": f"run-{n}", "status": "running"} for n in range(100)]
    fake_api.before = lambda seen: (200, {"data": once})
    with pytest.raises(duvo.UnexpectedAnswer, match="keeps returning the same items"):
        list(client.runs.list())
    assert len(fake_api.requests) < 10


def test_a_response_about_another_run_is_not_used(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id, other = fake_api.start(), fake_api.start("completed")
    fake_api.before = lambda seen: (200, {"run": fake_api.runs[other]})
    with pytest.raises(duvo.UnexpectedAnswer, match=f"about run {other}"):
        client.runs.get(run_id)


@pytest.mark.parametrize("body", [{}, {"run": None}, {"run": {"id": 3}}, [], "ok"])
def test_a_start_with_a_senseless_response_has_an_unknown_outcome(
    fake_api: FakeAPI, client: duvo.Client, body: Any
) -> None:
    fake_api.before = lambda seen: (201, body)
    with pytest.raises(duvo.OutcomeUnknown, match=r"POST /v2/teams/.*runs\.list\(agent="):
        client.runs.start(AGENT)


def test_no_error_carries_the_key(
    fake_api: FakeAPI, client: duvo.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "duvo")
    fake_api.before = lambda seen: (
        403,
        {"error": KEY, "details": {KEY: [KEY]}},
        {"x-request-id": KEY},
    )
    with pytest.raises(duvo.PermissionDenied) as caught:
        client.runs.get(fake_api.start())
    assert KEY not in f"{vars(caught.value)} {caught.value}"
    assert KEY.encode() not in pickle.dumps(caught.value)
    assert KEY not in caplog.text

    def drop(seen: ReceivedRequest) -> None:
        raise DropConnection

    fake_api.before = drop
    client._driver.api.clock = StoppedClock()
    with pytest.raises(duvo.ConnectionError) as dropped:
        client.runs.get(fake_api.start())
    failures = contexts(dropped.value)
    assert any(isinstance(each, OF_TRANSPORTS) for each in failures)
    for failure in failures:
        assert KEY not in f"{failure!r} {vars(failure)}"


OF_TRANSPORTS = (requests.RequestException, httpx2.RequestError)


def contexts(error: BaseException) -> list[BaseException]:
    """The error, and all that were being handled when it was raised."""
    return [error, *(contexts(error.__context__) if error.__context__ else [])]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.runs.get("\ud800"),
        lambda client: list(client.runs.list(since="0001-01-01T00:00:00+14:00")),
        lambda client: client.request("GE T", "/v2/teams"),
        lambda client: client.request("POST", "/v2/teams", body={"a": {1, 2}}),
        lambda client: client.paginate("/v2/teams", params={"offset": "x"}),
        lambda client: client.runs.run("r").respond(answers={"1": 5}),
    ],
)
def test_nonsense_about_a_run_raises_only_errors_of_the_sdk(
    fake_api: FakeAPI, client: duvo.Client, call: Callable[[duvo.Client], Any]
) -> None:
    with pytest.raises(duvo.DuvoError):
        call(client)


@pytest.mark.parametrize(
    "use",
    [
        lambda connect: connect(api_key="x", user_agent="Приложение"),
        lambda connect: connect(api_key="x", base_url="http://a..b").teams.list(),
        lambda connect: connect(
            api_key="x", base_url=f"http://{'a' * 64}.example", max_retries=0
        ).teams.list(),
        lambda connect: connect(api_key="x", timeout=1e12),
        lambda connect: connect(api_key=""),
    ],
)
def test_nonsense_for_a_client_raises_only_errors_of_the_sdk(
    connect: Connect, use: Callable[[Connect], Any]
) -> None:
    with pytest.raises(duvo.DuvoError):
        use(connect)


@pytest.mark.parametrize("location", ["http://[bad", "http://127.0.0.1:abc/", "//", "ftp://x/"])
def test_a_redirect_to_nonsense_is_an_error(
    fake_api: FakeAPI, client: duvo.Client, location: str
) -> None:
    fake_api.before = lambda seen: (308, b"", {"location": location})
    with pytest.raises(duvo.ConfigError):
        client.runs.get(fake_api.start())
    with pytest.raises(duvo.ConfigError):
        client.runs.start(AGENT)


def mutated(value: Any, chance: random.Random) -> Any:
    """Return the JSON value with one fault in it."""
    junk = [None, True, 3, -1, 1e300, "", "x", "\ud800", [], {}, [None], {"id": None}]
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        if chance.random() < 0.2:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: mutated(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return [*value[:at], mutated(value[at], chance), *value[at + 1 :]]
    return chance.choice(junk)


@pytest.mark.parametrize("seed", range(40))
def test_mutated_responses_raise_only_errors_of_the_sdk(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, seed: int
) -> None:
    chance = random.Random(seed)
    calls: list[Callable[[str], Any]] = [
        lambda run: client.runs.get(run).data,
        lambda run: client.runs.get(run).pending_request,
        lambda run: [one.data for one in client.runs.list()],
        lambda run: [one.to_dict() for one in client.runs.run(run).messages()],
        lambda run: list(client.runs.run(run).messages(follow=True, timeout=20)),
        lambda run: client.runs.run(run).wait(timeout=20, on_request="approve").answer,
        lambda run: client.runs.run(run).respond(approve=True),
        lambda run: client.runs.run(run).send_message("hello"),
        lambda run: client.runs.run(run).stop(),
        lambda run: client.runs.start("Invoice approver", message="go"),
        lambda run: list(client.agents.list()),
        lambda run: client.agents.get("Invoice approver"),
        lambda run: client.whoami(),
        lambda run: client.paginate(f"/v2/runs/{run}/messages"),
    ]

    def after(seen: ReceivedRequest) -> Any:
        status, body = fake_api.answer(seen)
        wrong = mutated(body, chance) if chance.random() < 0.6 else body
        return status, json.dumps(wrong).encode()

    for call in calls:
        run_id = fake_api.start()
        fake_api.say(run_id, "checking")
        fake_api.say(run_id, "", type="tool_call", tool_call={"id": "1", "name": "look"})
        fake_api.ask(run_id)
        fake_api.before = after
        try:
            call(run_id)
        except duvo.DuvoError as error:
            assert str(error)
        fake_api.before = lambda seen: None
