"""Exceptions from outside, such as Ctrl-C, while a request is on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import duvo
from duvo._http import api
from duvo._http.request import Request
from duvo._run.cursor import Page
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.support.clocks import FastClock


class Interruption(BaseException):
    """An exception from outside."""


def find_team(client: duvo.Client) -> Any:
    return client.team_id


def list_agents(client: duvo.Client) -> Any:
    return list(client.agents.list())


@pytest.mark.parametrize("call", [find_team, list_agents])
def test_the_team_is_found_after_an_interruption(
    fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch, call: Callable[[duvo.Client], Any]
) -> None:
    monkeypatch.setattr(api, "_LONGEST_FINDING", 0.1)
    client = duvo.Client(api_key=KEY, base_url=fake_api.base_url)

    def interrupt(*arguments: object) -> None:
        raise Interruption

    with monkeypatch.context() as interrupted:
        interrupted.setattr(client._driver.transport, "send", interrupt)
        # The traceback keeps the interrupted flow alive.
        with pytest.raises(Interruption) as caught:
            call(client)
    assert client.team_id == TEAM
    assert caught.tb is not None


class SoftLimit(Exception):
    """What a signal handler raises, as Celery's does."""


class Interrupted:
    """A transport that interrupts every other request, before or after sending it."""

    def __init__(self, client: duvo.Client, error: type[BaseException], *, sent: bool):
        self._transport = client._driver.transport
        self._error = error
        self._sent = sent
        self.is_next = True
        client._driver.transport = self

    def send(self, request: Request, closed: Any) -> Any:
        self.is_next = not self.is_next
        if self.is_next:
            return self._transport.send(request, closed)
        if self._sent:
            self._transport.send(request, closed)
        else:
            request.may_be_sent = False
        raise self._error

    def close(self) -> None:
        self._transport.close()


def take(items: Iterator[Any], error: type[BaseException]) -> list[Any]:
    """Take all items, and begin another loop after each interruption."""
    taken = []
    while True:
        try:
            for item in items:
                taken.append(item)
        except error:
            continue
        return taken


ITERATORS: dict[str, Callable[[duvo.Client, list[str]], Iterator[Any]]] = {
    "messages": lambda client, ids: client.runs.run(ids[0]).messages(),
    "follow": lambda client, ids: client.runs.run(ids[0]).messages(follow=True),
    "runs": lambda client, ids: client.runs.list(),
    "agents": lambda client, ids: client.agents.list(),
    "watch": lambda client, ids: client.runs.watch(ids),
    "as_completed": lambda client, ids: client.runs.as_completed(ids),
}


@pytest.mark.blocking_only
@pytest.mark.parametrize("name", ITERATORS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SoftLimit])
@pytest.mark.parametrize("sent", [False, True])
def test_an_iterator_continues_after_every_interruption(
    fake_api: FakeAPI, client: duvo.Client, name: str, error: type[BaseException], sent: bool
) -> None:
    ids = [fake_api.start() for _ in range(3)]
    for number in range(120):
        fake_api.say(ids[0], str(number))
    for run_id in ids:
        fake_api.end(run_id)
    expected = [str(item) for item in ITERATORS[name](client, ids)]
    Interrupted(client, error, sent=sent)
    assert [str(item) for item in take(ITERATORS[name](client, ids), error)] == expected
    assert expected


def interrupted_reply(client: duvo.Client, run_id: str, *, sent: bool) -> duvo.Messages:
    """Follow a run to its request, and interrupt the reply before or after it was sent."""
    messages = client.runs.run(run_id).messages(follow=True, on_request="approve")
    assert next(messages).is_pending_request
    transport = Interrupted(client, KeyboardInterrupt, sent=sent)
    with pytest.raises(KeyboardInterrupt):
        next(messages)
    client._driver.transport = transport._transport
    return messages


@pytest.mark.blocking_only
@pytest.mark.parametrize(("sent", "count"), [(False, 1), (True, 1)])
def test_a_reply_that_was_interrupted_is_sent_once(
    fake_api: FakeAPI, client: duvo.Client, sent: bool, count: int
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    fake_api.after = lambda seen: fake_api.end(run_id) if seen.method == "POST" else None
    messages = interrupted_reply(client, run_id, sent=sent)
    assert list(messages) == []
    assert fake_api.count("POST", "/respond") == count


@pytest.mark.blocking_only
def test_an_interrupted_reply_is_sent_again_with_its_key_where_keys_are_honoured(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.headers["duvo-idempotency"] = "honoured"
    run_id = fake_api.start()
    fake_api.ask(run_id)
    messages = interrupted_reply(client, run_id, sent=True)
    fake_api.before = lambda seen: fake_api.end(run_id) if seen.method == "GET" else None
    assert list(messages) == []
    first, second = (seen for seen in fake_api.requests if seen.path.endswith("/respond"))
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.blocking_only
def test_a_batch_that_was_interrupted_says_how_to_continue(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    results = client.runs.map(AGENT, ["a"])

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    results._driver.perform = interrupt
    with pytest.raises(KeyboardInterrupt):
        next(results)
    with pytest.raises(duvo.DuvoError, match="KeyboardInterrupt ended the iteration") as caught:
        next(results)
    assert "the same call continues" in str(caught.value)


@pytest.mark.blocking_only
def test_an_interruption_in_the_middle_of_a_flow_is_not_raised_again(
    fake_api: FakeAPI, client: duvo.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fake_api.start()
    messages = client.runs.run(run_id).messages(follow=True)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Page, "__init__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(messages)
    with pytest.raises(duvo.DuvoError, match="cannot continue: begin another"):
        next(messages)


@pytest.mark.blocking_only
def test_two_threads_take_turns_on_one_iterator(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    for number in range(150):
        fake_api.say(run_id, str(number))
    messages = client.runs.run(run_id).messages(follow=True)
    taken: list[str] = []
    barrier = threading.Barrier(4)

    def read() -> None:
        barrier.wait()
        taken.extend(message.content for message in messages)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    fake_api.end(run_id)
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(150)]


@pytest.mark.blocking_only
@pytest.mark.parametrize("kind", ["messages", "as_completed"])
def test_a_second_thread_on_an_iterator_waits_no_longer_than_its_timeout(
    fake_api: FakeAPI, client: duvo.Client, kind: str
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock = client._driver.api.clock = FastClock()
    deciding, decided = threading.Event(), threading.Event()

    def decide(request: duvo.HumanRequest) -> bool:
        clock.skipped += 29.5
        deciding.set()
        decided.wait(30)
        return True

    items: Iterator[Any]
    if kind == "messages":
        run = client.runs.run(run_id)
        items = run.messages(follow=True, last=0, timeout=30, on_request=decide)
    else:
        items = client.runs.as_completed([run_id], timeout=30, on_request=decide)
    failures: list[object] = []

    def read() -> None:
        try:
            for _ in items:
                continue
        except duvo.WaitTimeout as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert deciding.wait(30)
    with pytest.raises(duvo.WaitTimeout):
        next(items)
    assert failures == []
    decided.set()
    thread.join()
    assert len(failures) == 1
