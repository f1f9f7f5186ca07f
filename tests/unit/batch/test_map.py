"""`map`: a run for each input, when runs start, and their results."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI
from tests.support.command import wait_for
from tests.unit.batch.conftest import Agent


def test_each_input_has_a_run_and_its_answer(client: duvo.Client, agent: Agent) -> None:
    results = list(client.runs.map(AGENT, ["one", "two", "three"]))
    assert sorted((given, run.answer) for given, run in results) == [
        ("one", "did one"),
        ("three", "did three"),
        ("two", "did two"),
    ]
    assert sorted((one.index, one.input, one.run.status) for one in results) == [
        (0, "one", "completed"),
        (1, "two", "completed"),
        (2, "three", "completed"),
    ]
    assert {(one.key, one.delivered) for one in results} == {(None, False)}
    assert sorted(agent.messages) == ["one", "three", "two"]


def test_an_agent_may_be_given_by_its_name(client: duvo.Client, agent: Agent) -> None:
    assert len(list(client.runs.map("Invoice approver", ["one"]))) == 1


def test_a_map_without_inputs_starts_nothing(client: duvo.Client, fake_api: FakeAPI) -> None:
    assert list(client.runs.map(AGENT, [])) == []
    assert fake_api.count("POST", "/runs") == 0


@pytest.mark.parametrize(
    "given", [{"number": "INV-1", "größe": 2}, ["a", 1], 7, 1.5, None, True, "", "Größe"]
)
def test_a_text_input_is_the_start_message_and_any_other_input_is_sent_as_json(
    client: duvo.Client, agent: Agent, given: Any
) -> None:
    ((back, _),) = client.runs.map(AGENT, [given])
    assert back is given
    (message,) = agent.messages
    assert (message if isinstance(given, str) else json.loads(message)) == given


def test_the_callers_function_makes_the_start_messages(client: duvo.Client, agent: Agent) -> None:
    rows = [{"number": 1}, {"number": 2}]
    results = client.runs.map(AGENT, rows, message=lambda row: f"Process {row['number']}")
    assert [one.input for one in sorted(results, key=lambda one: one.index)] == rows
    assert sorted(agent.messages) == ["Process 1", "Process 2"]


def test_equal_inputs_have_separate_runs(client: duvo.Client, agent: Agent) -> None:
    results = list(client.runs.map(AGENT, ["same", "same"]))
    assert len({one.run.id for one in results}) == 2
    assert agent.messages == ["same", "same"]


@pytest.mark.parametrize("key", ["number", lambda row: f"number {row['number']}"])
def test_inputs_with_the_same_key_have_one_run(client: duvo.Client, agent: Agent, key: Any) -> None:
    rows = [{"number": 1, "try": 1}, {"number": 2, "try": 1}, {"number": 1, "try": 2}]
    results = list(client.runs.map(AGENT, rows, key=key))
    assert sorted(one.index for one in results) == [0, 1]
    assert sorted(str(one.key) for one in results) == (
        ["1", "2"] if key == "number" else ["number 1", "number 2"]
    )
    assert len(agent.messages) == 2


def test_results_come_in_the_order_in_which_runs_end(client: duvo.Client, agent: Agent) -> None:
    ended: list[str] = []
    agent.does = lambda message: "completed" if message in ended else "work"
    results = client.runs.map(AGENT, ["first", "second", "third"])
    for text in ("second", "third", "first"):
        ended.append(text)
        assert next(results).input == text
    assert list(results) == []


def test_inputs_are_taken_only_as_runs_can_start(client: duvo.Client, agent: Agent) -> None:
    taken = 0
    given_back = 0

    def inputs() -> Iterator[str]:
        nonlocal taken
        for number in range(20):
            taken += 1
            # At most as many as may run, and as many ended ones that are not yet yielded.
            assert taken <= given_back + 8
            yield str(number)

    results = client.runs.map(AGENT, inputs(), concurrency=4)
    assert taken == 0
    for _ in results:
        given_back += 1
    assert (taken, given_back) == (20, 20)
    assert agent.most <= 4


def test_concurrency_limits_the_number_of_running_runs(client: duvo.Client, agent: Agent) -> None:
    released: list[str] = []
    agent.does = lambda message: "completed" if message in released else "work"
    inputs = [str(number) for number in range(12)]
    results = client.runs.map(AGENT, inputs, concurrency=3)
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(results))
    thread.start()
    for left in range(12, 0, -1):
        wait_for(lambda left=left: len(set(agent.at_work_on) - set(released)) == min(3, left))  # type: ignore[misc]
        released.append(min(set(agent.at_work_on) - set(released)))
    thread.join(20)
    assert not thread.is_alive()
    assert (len(seen), agent.most) == (12, 3)


def test_a_slow_input_does_not_delay_the_one_before(client: duvo.Client, agent: Agent) -> None:
    def inputs() -> Iterator[str]:
        yield "one"
        wait_for(lambda: agent.messages == ["one"])
        yield "two"

    assert len(list(client.runs.map(AGENT, inputs()))) == 2


def test_progress_can_be_read_in_any_thread(client: duvo.Client, agent: Agent) -> None:
    ends = {"a": "completed", "b": "failed", "c": "interrupted"}
    agent.does = lambda message: ends.get(message, "ask" if message == "d" else "work")
    results = client.runs.map(AGENT, ["a", "b", "c", "d", "e"])
    assert results.progress == duvo.Progress()
    thread = threading.Thread(target=lambda: list(results))
    thread.start()
    whole = duvo.Progress(completed=1, failed=1, stopped=1, running=1, waiting=1)
    wait_for(lambda: results.progress == whole)
    results.close()
    thread.join(20)
    assert not thread.is_alive()


def test_failed_and_stopped_runs_are_results(client: duvo.Client, agent: Agent) -> None:
    agent.does = lambda message: "failed"
    (result,) = client.runs.map(AGENT, ["one"])
    assert (result.run.status, result.run.answer) == ("failed", "did one")
    agent.does = lambda message: "interrupted"
    (result,) = client.runs.map(AGENT, ["one"])
    assert result.run.status == "stopped"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number, 1 or more, not 0"),
        ({"concurrency": True}, "concurrency must be a whole number, 1 or more, not True"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"on_request": "aprove"}, "on_request must be .*, not 'aprove'"),
        ({"answers": ["no key"]}, "is not KEY=ANSWER"),
        ({"inputs": "text"}, "not text"),
        ({"inputs": 5}, "inputs must be a list or another iterable"),
        ({"inputs": None}, "inputs must be a list or another iterable"),
        ({"message": "hello {a}"}, "message must be a function .* not 'hello {a}'"),
        ({"key": 5}, "key must be a field's name or a function, not 5"),
        ({"journal": 5}, "journal must be the name of a file, not 5"),
        ({"agent": None}, "the id of the agent must be text, not None: is the variable set"),
    ],
)
def test_invalid_arguments_of_map_are_refused_at_once(
    client: duvo.Client, fake_api: FakeAPI, arguments: Any, text: str
) -> None:
    with pytest.raises(duvo.ConfigError, match=text):
        client.runs.map(**{"agent": AGENT, "inputs": ["one"], **arguments})
    assert fake_api.requests == []


@pytest.mark.blocking_only
def test_an_executor_of_another_type_is_refused_at_once(
    client: duvo.Client, fake_api: FakeAPI
) -> None:
    executor: Any = 3
    with pytest.raises(duvo.ConfigError, match="executor must be an Executor, not 3"):
        client.runs.map(AGENT, ["one"], executor=executor)
    assert fake_api.requests == []


@pytest.mark.blocking_only
def test_an_unknown_agent_of_a_map_is_reported_at_once(client: duvo.Client) -> None:
    with pytest.raises(duvo.NotFound, match="no agent is called 'Nobody'"):
        client.runs.map("Nobody", ["one"])
