"""A CSV of the inputs of a batch and their results."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI
from tests.unit.batch.conftest import Agent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the results."""
    return tmp_path / "results.csv"


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def statuses(file: Path) -> list[tuple[str, str]]:
    return [(row["input"], row["status"]) for row in read(file)]


def test_the_files_of_a_batch_may_begin_with_a_tilde(
    client: duvo.Client, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    results = client.runs.map(AGENT, ["1"], journal="~/journal")
    assert len(list(results)) == 1
    results.to_csv("~/results.csv", ["1"])
    assert (tmp_path / "journal").is_file()
    assert len(read(tmp_path / "results.csv")) == 1


ROWS = [{"n": "3"}, {"n": "1"}, {"n": "3"}, {"n": "2"}]


@pytest.mark.parametrize("key", [None, "n"])
def test_results_are_written_in_the_order_of_the_inputs(
    client: duvo.Client, agent: Agent, tmp_path: Path, file: Path, key: str | None
) -> None:
    agent.does = lambda message: "failed" if "1" in message else "completed"
    results = client.runs.map(AGENT, ROWS, journal=tmp_path / "journal", key=key)
    ended = {(one.index, one.run.id): one for one in results}
    results.to_csv(file, ROWS)
    found = read(file)
    assert [row["n"] for row in found] == ["3", "1", "3", "2"]
    assert list(found[0]) == ["n", "status", "answer", "failure", "run_id"]
    assert [row["status"] for row in found] == ["completed", "failed", "completed", "completed"]
    assert found[0]["answer"] == 'did {"n": "3"}'
    if key is None:
        assert {(place, row["run_id"]) for place, row in enumerate(found)} == set(ended)
    else:
        assert found[0]["run_id"] == found[2]["run_id"]


def test_inputs_without_a_result_have_a_status_only(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, tmp_path: Path, file: Path
) -> None:
    agent.does = {"a": "completed", "b": "work", "c": "work", "d": "work"}.__getitem__
    inputs = ["a", "b", "c", "d"]
    results = client.runs.map(AGENT, inputs, journal=tmp_path / "journal", concurrency=2)
    assert next(results).input == "a"
    results.to_csv(file, iter(inputs), delimiter=";")
    first = file.read_text()
    assert first.startswith("input;status;answer;failure;run_id\na;completed;did a;;")
    assert first.endswith("\nd;not started;;;\n")
    results.close()
    results.to_csv(file, inputs)
    assert statuses(file)[:2] == [("a", "completed"), ("b", "running")]
    assert [row["run_id"] != "" for row in read(file)] == [True] + [False] * 3


def test_inputs_whose_runs_wait_for_a_human_have_that_status(
    client: duvo.Client, agent: Agent, tmp_path: Path, file: Path
) -> None:
    agent.does = lambda message: "ask" if message == "b" else "completed"
    results = client.runs.map(AGENT, ["a", "b"], journal=tmp_path / "journal", on_request="raise")
    with pytest.raises(duvo.MapIncomplete):
        list(results)
    results.to_csv(file, ["a", "b", "new"])
    assert statuses(file) == [("a", "completed"), ("b", "waiting"), ("new", "not started")]


def test_writing_a_csv_does_not_change_what_is_started_later(
    client: duvo.Client, agent: Agent, tmp_path: Path, file: Path
) -> None:
    journal = tmp_path / "journal"
    first = client.runs.map(AGENT, ["a", "b"], journal=journal)
    list(first)
    first.to_csv(file, ["b", "b", "c"])
    first.to_csv(file, ["b", "b", "c"])
    assert statuses(file) == [("b", "completed"), ("b", "not started"), ("c", "not started")]
    with client.runs.map(AGENT, [], journal=journal) as again:
        assert again.compare(["a", "b", "c"]).new == 1


def test_a_csv_of_results_needs_a_journal(client: duvo.Client, agent: Agent, file: Path) -> None:
    results = client.runs.map(AGENT, ["a"])
    list(results)
    with pytest.raises(duvo.ConfigError, match="a CSV of results is made from a journal"):
        results.to_csv(file, ["a"])


def test_a_file_that_cannot_be_written_is_an_os_error(
    client: duvo.Client, agent: Agent, tmp_path: Path
) -> None:
    results = client.runs.map(AGENT, ["a"], journal=tmp_path / "journal")
    list(results)
    with pytest.raises(FileNotFoundError):
        results.to_csv(tmp_path / "none" / "results.csv", ["a"])
