"""Leaving a batch before its end, in any way, loses no start and leaves no thread."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import duvo
from duvo._batch import fingerprints, workers
from duvo._batch.entry import Row
from duvo._batch.journal import Journal
from tests.servers.fake_api import AGENT, KEY, TEAM, DropConnection, FakeAPI, ReceivedRequest
from tests.support.command import wait_for
from tests.unit.batch.conftest import Agent


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    """Disable the garbage collector, so that only reference counts free a batch."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Check that the threads of a batch end soon after it."""
    yield
    wait_for(lambda: not [one for one in threading.enumerate() if "duvo-map" in one.name])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "journal"


def rows(client: duvo.Client, file: Path, *inputs: str) -> list[Row]:
    owner = {"server": client.base_url, "team_id": TEAM, "agent_id": AGENT}
    with contextlib.closing(Journal(file, **owner)) as journal:
        return journal.take([fingerprints.fingerprint(one) for one in inputs])


class Gate:
    """Holds the responses to starts until it opens."""

    def __init__(self, fake_api: FakeAPI, agent: Agent):
        self.opens = threading.Event()
        self.waiting = 0
        self._agent = agent
        fake_api.after = self.after

    def after(self, seen: ReceivedRequest) -> None:
        self._agent.after(seen)
        if seen.method == "POST" and seen.path.endswith("/runs"):
            self.waiting += 1
            assert self.opens.wait(60)


def test_a_batch_closed_before_its_first_result_starts_nothing(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    client.runs.map(AGENT, ["a"], journal=file).close()
    client.runs.map(AGENT, ["a"], journal=file)
    with client.runs.map(AGENT, ["a"], journal=file):
        pass
    closed = client.runs.map(AGENT, ["a"], journal=file)
    closed.close()
    closed.close()
    assert list(closed) == []
    assert agent.messages == []
    assert [one.state for one in rows(client, file, "a")] == ["new"]


@pytest.mark.blocking_only
def test_a_batch_left_between_two_results_keeps_the_runs_that_ended(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    for _ in client.runs.map(AGENT, ["a", "b"], journal=file, concurrency=1):
        break
    assert [one.state for one in rows(client, file, "a", "b")] == ["finished", "new"]
    with contextlib.suppress(KeyboardInterrupt):
        for result in client.runs.map(AGENT, ["a", "b"], journal=file, concurrency=1):
            if result.input == "b":
                raise KeyboardInterrupt
    found = rows(client, file, "a", "b")
    assert [(one.state, one.delivered) for one in found] == [
        ("finished", True),
        ("finished", False),
    ]
    again = client.runs.map(AGENT, ["a", "b"], journal=file)
    assert {(one.input, one.delivered) for one in again} == {("a", True), ("b", False)}
    assert sorted(agent.messages) == ["a", "b"]


def test_a_batch_can_be_closed_inside_its_loop(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    results = client.runs.map(AGENT, ["a", "b", "c"], journal=file, concurrency=1)
    seen = []
    for result in results:
        seen.append(result.input)
        results.close()
        assert rows(client, file, "a")[0].state == "finished"
    assert seen == ["a"]


def test_a_batch_can_be_closed_by_another_thread(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    agent.does = lambda message: "work"
    results = client.runs.map(AGENT, ["a", "b"], journal=file)
    seen: list[duvo.Result] = []
    thread = threading.Thread(target=lambda: seen.extend(results))
    thread.start()
    wait_for(lambda: len(agent.messages) == 2 and results.progress.running == 2)
    results.close()
    thread.join(30)
    assert not thread.is_alive()
    assert seen == []
    assert [one.state for one in rows(client, file, "a", "b")] == ["started", "started"]


@pytest.mark.long
def test_closing_a_batch_in_many_threads_leaves_no_start_in_doubt(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    for number in range(30):
        results = client.runs.map(AGENT, [f"{number} {one}" for one in range(8)], journal=file)
        seen: list[duvo.Result] = []
        threads = [threading.Thread(target=seen.extend, args=[results])]
        threads += [threading.Thread(target=results.close) for _ in range(3)]
        threads[0].start()
        if number % 3:
            wait_for(lambda: len(seen) >= number % 5 or not threads[0].is_alive())  # noqa: B023
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        # The journal is free again, and no start is in doubt.
        assert "sending" not in {one.state for one in rows(client, file, *agent.messages)}


def test_starts_in_progress_are_recorded_when_a_batch_is_closed(
    fake_api: FakeAPI, client: duvo.Client, file: Path, agent: Agent
) -> None:
    gate = Gate(fake_api, agent)
    inputs = [str(number) for number in range(20)]
    results = client.runs.map(AGENT, inputs, journal=file, concurrency=20)
    thread = threading.Thread(target=lambda: list(results))
    thread.start()
    wait_for(lambda: gate.waiting == 8)
    results.close()
    gate.opens.set()
    thread.join(30)
    assert not thread.is_alive()
    states = [one.state for one in rows(client, file, *inputs)]
    assert states == ["started"] * 8 + ["new"] * 12
    assert {one.input for one in client.runs.map(AGENT, inputs, journal=file)} == set(inputs)
    assert sorted(agent.messages) == sorted(inputs)


@pytest.mark.blocking_only
def test_the_journal_stays_in_use_while_a_start_is_in_progress(
    fake_api: FakeAPI,
    client: duvo.Client,
    file: Path,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "LONGEST_END", 0.1)
    gate = Gate(fake_api, agent)
    results = client.runs.map(AGENT, ["a"], journal=file)
    thread = threading.Thread(target=lambda: list(results))
    thread.start()
    wait_for(lambda: gate.waiting == 1)
    results.close()
    thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(duvo.JournalError, match="in use"):
        client.runs.map(AGENT, ["a"], journal=file)
    gate.opens.set()
    wait_for(lambda: not [one for one in threading.enumerate() if "duvo-map" in one.name])
    assert [one.state for one in rows(client, file, "a")] == ["started"]


def test_starts_that_wait_for_the_rate_limit_are_not_sent_after_closing(
    fake_api: FakeAPI, client: duvo.Client, file: Path, agent: Agent
) -> None:
    refused = threading.Event()

    def before(seen: ReceivedRequest) -> object:
        agent.before(seen)
        if seen.method != "POST":
            return None
        refused.set()
        return 429, {"error": "slow down"}, {"retry-after": "60"}

    fake_api.before = before
    inputs = [str(number) for number in range(20)]
    results = client.runs.map(AGENT, inputs, journal=file)
    thread = threading.Thread(target=lambda: list(results))
    thread.start()
    assert refused.wait(20)
    results.close()
    thread.join(30)
    assert not thread.is_alive()
    starts = fake_api.count("POST", "/runs")
    assert {one.state for one in rows(client, file, *inputs)} == {"new"}
    wait_for(lambda: not [one for one in threading.enumerate() if "duvo-map" in one.name])
    assert fake_api.count("POST", "/runs") == starts <= 8


def test_a_start_whose_response_was_lost_stays_in_doubt_when_later_starts_are_refused(
    fake_api: FakeAPI, client: duvo.Client, file: Path, agent: Agent
) -> None:
    fake_api.headers = {"duvo-idempotency": "1"}

    def after(seen: ReceivedRequest) -> None:
        if seen.method == "POST":
            results.close()
            raise DropConnection

    fake_api.after = after
    results = client.runs.map(AGENT, ["a"], journal=file)
    assert list(results) == []
    (row,) = rows(client, file, "a")
    assert (agent.messages, row.state) == (["a"], "sending")

    def before(seen: ReceivedRequest) -> object:
        return (403, {"error": "not today"}) if seen.method == "POST" else None

    fake_api.before = before
    # A refusal says nothing about the start that was sent before.
    with pytest.raises(duvo.PermissionDenied):
        list(client.runs.map(AGENT, ["a"], journal=file))
    assert rows(client, file, "a") == [row]


OPTIONS = ["-X", "dev", "-W", "error"]

LEFT = """
import sys, threading
import duvo

client = duvo.Client(*sys.argv[1:4])
how, agent, file = sys.argv[4:7]
results = client.runs.map(agent, ["a", "b", "c"], concurrency=2, journal=file)
if how == "never":
    pass
elif how == "break":
    for result in results:
        break
elif how == "global":
    kept = next(results)
elif how == "close":
    next(results)
    results.close()
elif how == "cycle":
    results.itself = results
    next(results)
    del results
elif how == "end":
    assert len(list(results)) == 3
print("left")
"""


@pytest.mark.long
@pytest.mark.parametrize("how", ["never", "break", "global", "close", "cycle", "end"])
def test_the_interpreter_exits_silently_after_a_batch_was_left(
    fake_api: FakeAPI, agent: Agent, file: Path, how: str
) -> None:
    ended = subprocess.run(
        [sys.executable, *OPTIONS, "-c", LEFT, KEY, fake_api.base_url, TEAM, how, AGENT, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left\n", "")


# In an event loop, SystemExit ends the loop itself.
@pytest.mark.blocking_only
def test_a_callback_that_exits_ends_the_batch(
    client: duvo.Client, file: Path, agent: Agent
) -> None:
    agent.does = lambda message: "ask"

    def decide(request: duvo.HumanRequest) -> bool:
        raise SystemExit(3)

    results = client.runs.map(AGENT, ["a"], journal=file, on_request=decide)
    with pytest.raises(SystemExit):
        list(results)
    assert [row.state for row in rows(client, file, "a")] == ["started"]
