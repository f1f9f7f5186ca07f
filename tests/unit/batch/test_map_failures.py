"""Failures of one input, and failures that end a batch."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo._watch import watcher
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest
from tests.unit.batch.conftest import Agent


def refusing(fake_api: FakeAPI, agent: Agent, status: int, *messages: str) -> None:
    """Refuse starts with these messages with that status."""

    def before(seen: ReceivedRequest) -> Any:
        if (
            seen.method == "POST"
            and seen.path.endswith("/runs")
            and seen.json["message"] in messages
        ):
            return status, {"error": "refused", "message": f"no {seen.json['message']}"}
        agent.before(seen)
        return None

    fake_api.before = before


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_refused_inputs_are_reported_after_all_other_results(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, status: int
) -> None:
    refusing(fake_api, agent, status, "b", "d")
    results = client.runs.map(AGENT, ["a", "b", "c", "d", "e"], concurrency=2)
    seen = []
    with pytest.raises(duvo.MapIncomplete, match="2 inputs have no finished run; ") as caught:
        for result in results:
            seen.append(result.input)
    assert sorted(seen) == ["a", "c", "e"]
    failures = sorted(caught.value.failures, key=lambda one: one[0])
    assert [(index, given) for index, given, _ in failures] == [(1, "b"), (3, "d")]
    assert isinstance(failures[0][2], duvo.APIError)
    assert failures[0][2].status == status
    assert results.progress == duvo.Progress(completed=3, failed=2)
    assert sorted(agent.messages) == ["a", "c", "e"]
    with pytest.raises(duvo.MapIncomplete):
        next(results)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, duvo.AuthenticationError), (403, duvo.PermissionDenied), (404, duvo.NotFound)],
)
def test_an_error_that_concerns_all_inputs_ends_the_batch_and_leaves_no_doubt(
    fake_api: FakeAPI,
    client: duvo.Client,
    agent: Agent,
    tmp_path: Path,
    status: int,
    kind: type[duvo.APIError],
) -> None:
    inputs = [str(number) for number in range(30)]
    refusing(fake_api, agent, status, *inputs)
    journal = tmp_path / "journal"
    with pytest.raises(kind):
        list(client.runs.map(AGENT, inputs, journal=journal, concurrency=4))
    assert fake_api.count("POST", "/runs") <= 4
    fake_api.before = agent.before
    lists = fake_api.count("GET", "/runs")
    assert len(list(client.runs.map(AGENT, inputs[:1], journal=journal))) == 1
    # No start was in doubt, so no run was searched for.
    assert "since" not in fake_api.requests[lists].query
    assert agent.messages == ["0"]


def test_a_batch_may_begin_in_an_outage(fake_api: FakeAPI, agent: Agent) -> None:
    failed: list[ReceivedRequest] = []

    def before(seen: ReceivedRequest) -> Any:
        if not failed:
            failed.append(seen)
            return 502, b"<html>"
        agent.before(seen)
        return None

    fake_api.before = before
    with duvo.Client(KEY, fake_api.base_url, TEAM, max_retries=0) as client:
        (result,) = client.runs.map(AGENT, ["a"])
    assert result.run.answer == "did a"
    assert failed[0].path.endswith("/runs")


@pytest.mark.parametrize("journal", [None, "journal"])
@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({1, 2}, "not JSON"),
        (float("nan"), "not JSON"),
        ("\ud800", "not valid text"),
        (ZeroDivisionError("while reading"), "while reading"),
    ],
)
def test_a_bad_input_ends_the_batch_after_the_runs_before_it(
    client: duvo.Client, agent: Agent, tmp_path: Path, bad: Any, text: str, journal: str | None
) -> None:
    def inputs() -> Iterator[Any]:
        yield "a"
        yield "b"
        if isinstance(bad, Exception):
            raise bad
        yield bad
        yield "c"

    file = journal and tmp_path / journal
    results = client.runs.map(AGENT, inputs(), journal=file)
    seen = []
    with pytest.raises((duvo.ConfigError, ZeroDivisionError), match=text):
        for result in results:
            seen.append(result.input)
    assert sorted(seen) == ["a", "b"]
    assert sorted(agent.messages) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"message": lambda given: given["nothing"]}, "nothing"),
        ({"message": lambda given: 7}, "the message of input 1 must be text, not 7"),
        ({"key": "number"}, "input 1 has no field 'number'"),
        ({"key": lambda given: None}, "the key of an input must be text, not None"),
    ],
)
def test_a_message_or_key_that_cannot_be_made_ends_the_batch_after_the_runs_before_it(
    client: duvo.Client, agent: Agent, arguments: Any, text: str
) -> None:
    bad = {"message": arguments.get("message"), "key": arguments.get("key")}
    good = {"number": "1"}

    def made(name: str) -> Any:
        if not callable(bad[name]):
            return bad[name]
        return lambda given: "fine" if given is good else bad[name](given)

    results = client.runs.map(AGENT, [good, {}], message=made("message"), key=made("key"))
    assert next(results).input is good
    with pytest.raises((duvo.ConfigError, KeyError), match=text):
        next(results)


def test_a_run_that_vanishes_is_reported_at_the_end(
    client: duvo.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "NEW_RUN_GRACE", 0.0)
    agent.does = lambda message: "vanish" if message == "b" else "completed"
    with pytest.raises(duvo.MapIncomplete, match="1 input has no finished run") as caught:
        list(client.runs.map(AGENT, ["a", "b", "c"]))
    ((index, given, error),) = caught.value.failures
    assert (index, given, type(error)) == (1, "b", duvo.NotFound)


def test_the_error_of_an_incomplete_map_can_be_pickled_and_copied(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent
) -> None:
    refusing(fake_api, agent, 422, "b")
    with pytest.raises(duvo.MapIncomplete) as caught:
        list(client.runs.map(AGENT, ["a", "b"]))
    for other in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        ((index, given, error),) = other.failures
        assert (index, given, type(error)) == (1, "b", duvo.InvalidRequest)
        assert str(other) == str(caught.value)
