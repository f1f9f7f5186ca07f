"""Starts of which nobody knows whether they made a run."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

import duvo
from duvo._batch import starts
from duvo._batch.completions import Spawn
from duvo._batch.workers import Workers
from tests.servers.fake_api import AGENT, KEY, TEAM, Drop, Hosted, Seen
from tests.support.clocks import HurriedClock
from tests.unit.batch.conftest import Agent

INPUTS = [str(number) for number in range(24)]


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run shows in the list at once."""
    monkeypatch.setattr(starts, "APPEARS_WITHIN", 0.05)


def is_a_look(seen: Seen) -> bool:
    """Whether it asks what a run was started with."""
    return seen.path.endswith("/messages") and seen.query.get("limit") == "10"


class Losing:
    """Loses starts on their way there, and answers on their way back, each message once."""

    def __init__(self, hosted: Hosted, agent: Agent, seed: int):
        self._agent = agent
        self._moments = random.Random(seed)
        self._lost: set[str] = set()
        self._turn = threading.Lock()
        hosted.before = self.before
        hosted.after = self.after

    def before(self, seen: Seen) -> None:
        self._agent.before(seen)
        self._lose(seen)

    def after(self, seen: Seen) -> None:
        self._agent.after(seen)
        self._lose(seen)

    def _lose(self, seen: Seen) -> None:
        if seen.method == "POST" and seen.path.endswith("/runs"):
            message = seen.json["message"]
            with self._turn:
                if message not in self._lost and self._moments.random() < 0.3:
                    self._lost.add(message)
                    raise Drop


@pytest.mark.parametrize("seed", range(6))
def test_each_input_has_one_run_whatever_is_lost(
    hosted: Hosted, client: duvo.Client, agent: Agent, seed: int
) -> None:
    Losing(hosted, agent, seed)
    results = list(client.runs.map(AGENT, INPUTS, concurrency=6))
    assert sorted(one.input for one in results) == sorted(INPUTS)
    assert sorted(agent.messages) == sorted(INPUTS)
    assert all(one.run.answer == f"did {one.input}" for one in results)


def test_so_have_equal_inputs(hosted: Hosted, client: duvo.Client, agent: Agent) -> None:
    lost = 0

    def after(seen: Seen) -> None:
        nonlocal lost
        agent.after(seen)
        if seen.method == "POST" and lost < 3:
            lost += 1
            raise Drop

    hosted.after = after
    results = list(client.runs.map(AGENT, ["same"] * 8, concurrency=4))
    assert len({one.run.id for one in results}) == len(results) == len(agent.messages) == 8


def test_a_run_that_was_just_heard_of_is_nobody_elses(
    hosted: Hosted, client: duvo.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, add = Workers._spawn, starts.Starts.add
    sent: list[Seen] = []
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

    def before(seen: Seen) -> None:
        agent.before(seen)
        if seen.method == "POST":
            sent.append(seen)
            if len(sent) == 1:
                raise Drop
            assert in_doubt.wait(20)

    monkeypatch.setattr(Workers, "_spawn", search_at_once)
    monkeypatch.setattr(starts.Starts, "add", add_and_note)
    hosted.before = before
    results = list(client.runs.map(AGENT, ["same"] * 3, concurrency=2))
    assert len({one.run.id for one in results}) == len(agent.messages) == 3


def test_nothing_is_started_while_a_run_is_looked_for(
    hosted: Hosted, client: duvo.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_so_far: list[str] = []
    find_runs = starts.find_runs

    def looking(*given: Any, **named: Any) -> Any:
        seen_so_far.append("look")
        try:
            return (yield from find_runs(*given, **named))
        finally:
            seen_so_far.append("looked")

    def before(seen: Seen) -> None:
        agent.before(seen)
        if seen.method == "POST":
            seen_so_far.append("start")
            if len(seen_so_far) == 1:
                raise Drop

    monkeypatch.setattr(starts, "find_runs", looking)
    hosted.before = before
    results = list(client.runs.map(AGENT, INPUTS, concurrency=4))
    assert len(results) == len(INPUTS)
    assert seen_so_far.count("start") == len(INPUTS) + 1
    assert seen_so_far[seen_so_far.index("look") + 1] == "looked"


@pytest.mark.parametrize("honours", [True, False])
def test_a_start_that_never_comes_through_is_told_and_others_go_on(
    hosted: Hosted, agent: Agent, honours: bool
) -> None:
    hosted.headers = {"duvo-idempotency": "1"} if honours else {}
    sent: list[str] = []

    def before(seen: Seen) -> Any:
        agent.before(seen)
        if seen.method == "POST" and seen.json["message"] == "3":
            sent.append(seen.headers["idempotency-key"])
            return 500, {"error": "always"}
        return None

    hosted.before = before
    with duvo.Client(KEY, hosted.base_url, TEAM, max_retries=0) as client:
        results = client.runs.map(AGENT, INPUTS, concurrency=3)
        with pytest.raises(duvo.MapIncomplete) as caught:
            list(results)
    ((index, _, error),) = caught.value.failures
    assert (index, type(error)) == (3, duvo.OutcomeUnknown)
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert len(agent.messages) == len(INPUTS) - 1


def test_a_server_that_honours_keys_is_sent_the_same_one_again(
    hosted: Hosted, client: duvo.Client, agent: Agent
) -> None:
    client._driver.api.clock = HurriedClock()
    hosted.headers = {"duvo-idempotency": "1"}
    first: dict[str, Any] = {}
    drops = random.Random(1)

    def before(seen: Seen) -> Any:
        agent.before(seen)
        if seen.method == "POST":
            key = seen.headers["idempotency-key"]
            with hosted.lock:
                first[key] = first.get(key) or hosted.answer(seen)
            if drops.random() < 0.4:
                raise Drop
            return first[key]
        return None

    hosted.before = before
    results = list(client.runs.map(AGENT, INPUTS, concurrency=8))
    assert len({one.run.id for one in results}) == len(agent.messages) == len(INPUTS)
    assert not [one for one in hosted.requests if is_a_look(one)]
