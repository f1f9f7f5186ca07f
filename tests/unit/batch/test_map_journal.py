"""Continuing a batch from its journal."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo._batch import starts
from tests.servers.fake_api import (
    AGENT,
    KEY,
    TEAM,
    DropConnection,
    FakeAPI,
    ReceivedRequest,
    serving,
)
from tests.unit.batch.conftest import Agent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "batch.duvo-journal"


def test_finished_inputs_are_yielded_again_and_not_started_again(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path
) -> None:
    agent.does = lambda message: "failed" if message == "b" else "completed"
    inputs = ["a", "b", {"c": 1}]
    first = list(client.runs.map(AGENT, inputs, journal=file))
    requests = len(fake_api.requests)
    again = list(client.runs.map(AGENT, inputs, journal=file))
    assert len(fake_api.requests) == requests
    assert [(one.index, one.input) for one in again] == list(enumerate(inputs))

    def summary(results: list[duvo.Result]) -> list[Any]:
        return sorted(
            [one.index, one.run.to_dict(), one.run.answer, one.run.failure] for one in results
        )

    assert summary(again) == summary(first)
    assert {one.delivered for one in again} == {True}
    assert {one.delivered for one in first} == {False}


def test_runs_started_before_are_continued(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path
) -> None:
    agent.does = lambda message: "completed" if message == "a" else "work"
    inputs = ["a", "b", "c", "d"]
    results = client.runs.map(AGENT, inputs, journal=file, concurrency=3)
    assert next(results).input == "a"
    results.close()
    agent.does = lambda message: "completed"
    results = client.runs.map(AGENT, inputs, journal=str(file), concurrency=2)
    assert sorted(one.input for one in results) == inputs
    assert sorted(agent.messages) == inputs


def test_concurrency_includes_the_runs_of_a_continued_batch(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    inputs = [str(number) for number in range(20)]
    agent.does = lambda message: "work"
    results = client.runs.map(AGENT, inputs, journal=file, concurrency=5)
    results.close()
    assert list(results) == []
    results = client.runs.map(AGENT, inputs, journal=file, concurrency=5)
    agent.does = lambda message: "completed"
    assert len(list(results)) == 20
    assert agent.most <= 5


@pytest.mark.parametrize("key", [None, "number"])
def test_only_the_new_inputs_of_a_continued_batch_are_started(
    client: duvo.Client, agent: Agent, file: Path, key: str | None
) -> None:
    rows = [{"number": number} for number in (1, 2, 2, 3)]
    first = list(client.runs.map(AGENT, rows, journal=file, key=key))
    assert len(first) == (4 if key is None else 3)
    started = len(agent.messages)
    grown = [{"number": number} for number in (3, 2, 4, 1, 2, 5, 2)]
    results = client.runs.map(AGENT, grown, journal=file, key=key)
    changes = results.compare(grown)
    assert (changes.known, changes.new, changes.gone) == ((4, 3, 0) if key is None else (3, 2, 0))
    new = [one for one in results if not one.delivered]
    assert len(agent.messages) == started + len(new)
    numbers = sorted(one.input["number"] for one in new)
    assert numbers == ([2, 4, 5] if key is None else [4, 5])


def test_a_changed_input_with_the_same_key_is_not_started_again(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    list(client.runs.map(AGENT, [{"id": "a", "total": 1}], journal=file, key="id"))
    (result,) = client.runs.map(AGENT, [{"id": "a", "total": 2}], journal=file, key="id")
    assert (result.input, result.key, result.delivered) == ({"id": "a", "total": 2}, "a", True)
    assert len(agent.messages) == 1


def test_inputs_are_compared_with_the_journal_of_a_batch_that_has_ended(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    results = client.runs.map(AGENT, ["a", "b"], journal=file)
    list(results)
    for _ in range(2):
        found = results.compare(["a", "b", "c"])
        assert (found.known, found.finished, found.new) == (2, 2, 1)
    # The file is free again.
    assert len(list(client.runs.map(AGENT, ["a", "b"], journal=file))) == 2
    file.unlink()
    with pytest.raises(duvo.JournalError, match="is gone"):
        results.compare(["a"])
    assert not file.exists()


def test_inputs_cannot_be_compared_after_a_batch_without_a_journal(
    client: duvo.Client, agent: Agent
) -> None:
    results = client.runs.map(AGENT, ["a"])
    assert results.compare(["a"]).new == 1
    list(results)
    with pytest.raises(duvo.JournalError, match="had no journal; give a journal to `map`"):
        results.compare(["a"])


@pytest.mark.parametrize("key", [None, "total", lambda row: row["id"]])
def test_another_rule_for_keys_is_refused_and_starts_nothing(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path, key: Any
) -> None:
    rows = [{"id": "a", "total": "1"}]
    list(client.runs.map(AGENT, rows, journal=file, key="id"))
    with pytest.raises(duvo.JournalError, match="by the field 'id', not by"):
        list(client.runs.map(AGENT, rows, journal=file, key=key))
    assert len(agent.messages) == 1


def test_inputs_with_other_messages_are_counted_and_keep_their_runs(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    rows = ["a", "b"]
    list(client.runs.map(AGENT, rows, journal=file))
    results = client.runs.map(AGENT, [*rows, "c"], journal=file, message="new {}".format)
    found = results.compare([*rows, "c"])
    assert (found.known, found.finished, found.changed, found.new) == (2, 2, 2, 1)
    assert len(list(results)) == 3
    assert sorted(agent.messages) == ["a", "b", "new c"]


@pytest.mark.long
def test_a_start_of_unknown_outcome_is_not_sent_again_with_another_message(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path
) -> None:
    fake_api.before = lambda seen: (401, {}) if seen.method == "POST" else None
    with pytest.raises(duvo.AuthenticationError):
        list(client.runs.map(AGENT, ["a"], journal=file))
    with closing(sqlite3.connect(file)) as journal:
        sent = hashlib.sha256(b"a").hexdigest()[:32]
        journal.execute("UPDATE inputs SET state = 'sending', sent_at = 1, message = ?", (sent,))
        journal.commit()
    fake_api.before = agent.before
    with pytest.raises(duvo.MapIncomplete, match="sent with another message") as caught:
        list(client.runs.map(AGENT, ["a"], journal=file, message="new {}".format))
    assert isinstance(caught.value.failures[0][2], duvo.OutcomeUnknown)
    assert agent.messages == []
    assert len(list(client.runs.map(AGENT, ["a"], journal=file))) == 1
    assert agent.messages == ["a"]


def test_an_input_that_failed_to_start_is_started_in_the_next_batch(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path
) -> None:
    fake_api.before = lambda seen: (422, {}) if seen.method == "POST" else None
    with pytest.raises(duvo.MapIncomplete):
        list(client.runs.map(AGENT, ["a"], journal=file))
    fake_api.before = agent.before
    assert len(list(client.runs.map(AGENT, ["a"], journal=file))) == 1


def test_inputs_of_failed_and_stopped_runs_are_started_again_only_by_retry_failed(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, file: Path
) -> None:
    ends = {"a": "failed", "b": "interrupted", "c": "completed"}
    agent.does = ends.__getitem__
    first = {one.input: one.run.id for one in client.runs.map(AGENT, ends, journal=file)}
    list(client.runs.map(AGENT, ends, journal=file))
    assert len(agent.messages) == 3
    ends["a"] = "completed"
    for attempt in ("second", "third"):
        results = client.runs.map(AGENT, ends, journal=file, retry_failed=True)
        failed = results.compare(ends).failed
        again = {one.input: one for one in results}
        assert failed == {"second": 2, "third": 1}[attempt]
        assert again["c"].delivered and again["c"].run.id == first["c"]
        assert (again["a"].run.status, again["b"].run.status) == ("completed", "stopped")
    assert sorted(agent.messages) == ["a", "a", "b", "b", "b", "c"]
    assert again["a"].delivered and not again["b"].delivered


def test_retry_failed_without_a_journal_is_refused(client: duvo.Client, agent: Agent) -> None:
    with pytest.raises(duvo.ConfigError, match="retry_failed needs a journal"):
        client.runs.map(AGENT, ["a"], retry_failed=True)


def test_the_failed_run_of_an_input_is_not_adopted_by_its_next_start(
    fake_api: FakeAPI,
    client: duvo.Client,
    agent: Agent,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starts, "APPEARS_WITHIN", 0.05)
    agent.does = lambda message: "failed"
    ((_, failed),) = client.runs.map(AGENT, ["a"], journal=file)
    lost = []

    def lose_one(seen: ReceivedRequest) -> None:
        agent.before(seen)
        if seen.method == "POST" and not lost:
            lost.append(seen)
            raise DropConnection

    fake_api.before, agent.does = lose_one, lambda message: "completed"
    ((_, run),) = client.runs.map(AGENT, ["a"], journal=file, retry_failed=True)
    assert lost
    assert (run.status, len(agent.messages)) == ("completed", 2)
    assert run.id != failed.id


def test_a_request_that_was_raised_can_be_answered_by_the_next_batch(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    agent.does = lambda message: "ask"
    with pytest.raises(duvo.MapIncomplete):
        list(client.runs.map(AGENT, ["a"], journal=file, on_request="raise"))
    (result,) = client.runs.map(AGENT, ["a"], journal=file, on_request="deny")
    assert result.run.answer == "a: {'approved': False}"
    assert len(agent.messages) == 1


@pytest.mark.blocking_only
def test_a_journal_of_another_agent_or_server_is_refused(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    list(client.runs.map(AGENT, ["a"], journal=file))
    with pytest.raises(duvo.JournalError, match="belongs to the agent"):
        client.runs.map("33333333-3333-4333-8333-333333333333", ["a"], journal=file)
    with (
        serving(FakeAPI()) as other,
        duvo.Client(KEY, other.base_url, TEAM) as elsewhere,
        pytest.raises(duvo.JournalError, match="belongs to the server"),
    ):
        elsewhere.runs.map(AGENT, ["a"], journal=file)


@pytest.mark.blocking_only
def test_a_second_batch_with_the_same_journal_is_refused_in_one_line(
    client: duvo.Client, agent: Agent, file: Path
) -> None:
    with client.runs.map(AGENT, ["a"], journal=file) as results:
        with pytest.raises(duvo.JournalError, match="in use by another process") as caught:
            client.runs.map(AGENT, ["a"], journal=file)
        assert "\n" not in str(caught.value)
        assert len(list(results)) == 1
