"""Starts of unknown outcome in a batch."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

import duvo
from duvo._batch import starts
from duvo._batch.completions import Spawn
from duvo._batch.workers import Workers
from tests.servers.fake_api import AGENT, KEY, TEAM, DropConnection, FakeAPI, ReceivedRequest
from tests.support.clocks import FastClock
from tests.unit.batch.conftest import Agent

INPUTS = [str(number) for number in range(24)]


@pytest.fixture(autouse=True)
def quick_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect a run to be listed at once."""
    monkeypatch.setattr(starts, "APPEARS_WITHIN", 0.05)


def reads_opening(seen: ReceivedRequest) -> bool:
    """Whether the request reads the beginning of a conversation."""
    return seen.path.endswith("/messages") and seen.query.get("limit") == "10"


class Losing:
    """Loses the request or the response of some starts, at most once for each message."""

    def __init__(self, fake_api: FakeAPI, agent: Agent, seed: int):
        self._agent = agent
        self._moments = random.Random(seed)
        self._lost: set[str] = set()
        self._turn = threading.Lock()
        fake_api.before = self.before
        fake_api.after = self.after

    def before(self, seen: ReceivedRequest) -> None:
        self._agent.before(seen)
        self._lose(seen)

    def after(self, seen: ReceivedRequest) -> None:
        self._agent.after(seen)
        self._lose(seen)

    def _lose(self, seen: ReceivedRequest) -> None:
        if seen.method == "POST" and seen.path.endswith("/runs"):
            message = seen.json["message"]
            with self._turn:
                if message not in self._lost and self._moments.random() < 0.3:
                    self._lost.add(message)
                    raise DropConnection


@pytest.mark.parametrize("seed", range(6))
def test_each_input_has_one_run_when_requests_and_responses_are_lost(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, seed: int
) -> None:
    Losing(fake_api, agent, seed)
    results = list(client.runs.map(AGENT, INPUTS, concurrency=6))
    assert sorted(one.input for one in results) == sorted(INPUTS)
    assert sorted(agent.messages) == sorted(INPUTS)
    assert all(one.run.answer == f"did {one.input}" for one in results)


def test_equal_inputs_have_one_run_each_when_responses_are_lost(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent
) -> None:
    lost = 0

    def after(seen: ReceivedRequest) -> None:
        nonlocal lost
        agent.after(seen)
        if seen.method == "POST" and lost < 3:
            lost += 1
            raise DropConnection

    fake_api.after = after
    results = list(client.runs.map(AGENT, ["same"] * 8, concurrency=4))
    assert len({one.run.id for one in results}) == len(results) == len(agent.messages) == 8


def test_a_run_that_has_just_been_started_is_not_adopted_for_another_input(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, add = Workers._spawn, starts.Starts.add
    sent: list[ReceivedRequest] = []
    in_doubt = threading.Event()

    def search_at_once(workers: Workers, step: Spawn) -> None:
        done = threading.Event()

        def watched(flow: Any) -> Any:
            try:
                return (yield from flow)
            finally:
                done.set()

        step.flow = watched(step.flow)
        spawn(workers, step)
        if step.kind == "search":
            assert done.wait(20)

    def add_and_note(pending: starts.Starts, entries: Any) -> None:
        add(pending, entries)
        if any(entry.is_in_doubt for entry in entries):
            in_doubt.set()

    def before(seen: ReceivedRequest) -> None:
        agent.before(seen)
        if seen.method == "POST":
            sent.append(seen)
            if len(sent) == 1:
                raise DropConnection
            assert in_doubt.wait(20)

    monkeypatch.setattr(Workers, "_spawn", search_at_once)
    monkeypatch.setattr(starts.Starts, "add", add_and_note)
    fake_api.before = before
    results = list(client.runs.map(AGENT, ["same"] * 3, concurrency=2))
    assert len({one.run.id for one in results}) == len(agent.messages) == 3


def test_no_run_is_started_during_a_search(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_so_far: list[str] = []
    find_runs = starts.find_runs

    def looking(*given: Any, **named: Any) -> Any:
        seen_so_far.append("look")
        try:
            return (yield from find_runs(*given, **named))
        finally:
            seen_so_far.append("looked")

    def before(seen: ReceivedRequest) -> None:
        agent.before(seen)
        if seen.method == "POST":
            seen_so_far.append("start")
            if len(seen_so_far) == 1:
                raise DropConnection

    monkeypatch.setattr(starts, "find_runs", looking)
    fake_api.before = before
    results = list(client.runs.map(AGENT, INPUTS, concurrency=4))
    assert len(results) == len(INPUTS)
    assert seen_so_far.count("start") == len(INPUTS) + 1
    assert seen_so_far[seen_so_far.index("look") + 1] == "looked"


@pytest.mark.parametrize("honours", [True, False])
def test_a_start_that_always_fails_is_reported_and_the_others_continue(
    fake_api: FakeAPI, agent: Agent, honours: bool
) -> None:
    fake_api.headers = {"duvo-idempotency": "1"} if honours else {}
    sent: list[str] = []

    def before(seen: ReceivedRequest) -> Any:
        agent.before(seen)
        if seen.method == "POST" and seen.json["message"] == "3":
            sent.append(seen.headers["idempotency-key"])
            return 500, {"error": "always"}
        return None

    fake_api.before = before
    with duvo.Client(KEY, fake_api.base_url, TEAM, max_retries=0) as client:
        results = client.runs.map(AGENT, INPUTS, concurrency=3)
        with pytest.raises(duvo.MapIncomplete) as caught:
            list(results)
    ((index, _, error),) = caught.value.failures
    assert (index, type(error)) == (3, duvo.OutcomeUnknown)
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert len(agent.messages) == len(INPUTS) - 1


def test_a_start_is_repeated_with_its_idempotency_key_if_the_server_honours_it(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent
) -> None:
    client._driver.api.clock = FastClock()
    fake_api.headers = {"duvo-idempotency": "1"}
    first: dict[str, Any] = {}
    drops = random.Random(1)

    def before(seen: ReceivedRequest) -> Any:
        agent.before(seen)
        if seen.method == "POST":
            key = seen.headers["idempotency-key"]
            with fake_api.lock:
                first[key] = first.get(key) or fake_api.answer(seen)
            if drops.random() < 0.4:
                raise DropConnection
            return first[key]
        return None

    fake_api.before = before
    results = list(client.runs.map(AGENT, INPUTS, concurrency=8))
    assert len({one.run.id for one in results}) == len(agent.messages) == len(INPUTS)
    assert not [one for one in fake_api.requests if reads_opening(one)]
