"""`show` displays a run, or the results of a batch; iterating displays nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.notebook import Notebook


@pytest.fixture
def conversation(fake_api: FakeAPI) -> str:
    """The id of a run that has ended after two messages."""
    run_id = fake_api.start("completed")
    fake_api.say(run_id, "Hello <b>", role="user")
    fake_api.say(run_id, "Bye")
    return run_id


def completing(fake_api: FakeAPI, answer: str = "done") -> Callable[[ReceivedRequest], None]:
    """Return a hook that completes each run that has been started."""

    def complete(seen: ReceivedRequest) -> None:
        with fake_api.lock:
            for run_id, run in fake_api.runs.items():
                if run["status"] == "pending":
                    fake_api.say(run_id, answer)
                    fake_api.end(run_id)

    return complete


def test_iterating_prints_nothing(
    client: duvo.Client,
    fake_api: FakeAPI,
    conversation: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook = Notebook(monkeypatch)
    fake_api.before = completing(fake_api)
    assert list(client.runs.run(conversation).messages(follow=True))
    assert list(client.runs.map(AGENT, ["a"]))
    assert list(client.runs.watch([conversation], messages=True))
    assert list(client.runs.as_completed([conversation]))
    assert capsys.readouterr().out == ""
    assert notebook.outputs == []


def test_a_run_is_shown_as_lines_until_its_end(
    client: duvo.Client, conversation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = client.runs.run(conversation)
    run.show()
    assert capsys.readouterr().out.splitlines() == [
        "user: Hello <b>",
        "assistant: Bye",
        f"run {conversation} completed",
    ]
    assert run.answer == "Bye"


def test_a_run_is_shown_as_one_output_in_a_notebook(
    client: duvo.Client,
    conversation: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook = Notebook(monkeypatch)
    client.runs.run(conversation).show()
    assert f"run {conversation} completed" in notebook.html
    assert "Hello &lt;b&gt;" in notebook.html
    assert ">Bye<" in notebook.html
    assert capsys.readouterr().out == ""


def test_a_failed_run_is_shown_with_its_reason(
    client: duvo.Client, fake_api: FakeAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = fake_api.start("failed")
    fake_api.say(run_id, "no such supplier", role="system", type="session_error")
    client.runs.run(run_id).show()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"run {run_id} failed: no such supplier"


def test_a_human_request_is_shown_and_then_answered(
    client: duvo.Client, fake_api: FakeAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, title="Pay it?")
    fake_api.after = lambda seen: fake_api.end(run_id) if seen.method == "POST" else None
    client.runs.run(run_id).show(on_request="approve")
    assert "request: Pay it?" in capsys.readouterr().out
    assert fake_api.count("POST", "/respond") == 1


def test_showing_a_run_ends_with_its_timeout(client: duvo.Client, fake_api: FakeAPI) -> None:
    run = client.runs.run(fake_api.start())
    with pytest.raises(duvo.WaitTimeout):
        run.show(timeout=0)


def test_results_are_shown_as_lines_and_returned(
    client: duvo.Client, fake_api: FakeAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_api.before = completing(fake_api, "paid\nand booked")
    results = client.runs.map(AGENT, [{"id": "A"}, {"id": "B"}], key="id")
    shown = results.show()
    assert sorted((result.input["id"], result.run.status) for result in shown) == [
        ("A", "completed"),
        ("B", "completed"),
    ]
    *lines, last = capsys.readouterr().out.splitlines()
    expected = [
        f"{result.index} ({result.key}): run {result.run.id} completed: paid and booked"
        for result in shown
    ]
    assert lines == expected
    assert last == "2 completed"


@pytest.mark.long
def test_results_are_shown_as_one_output_in_a_notebook(
    client: duvo.Client,
    fake_api: FakeAPI,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook = Notebook(monkeypatch)
    fake_api.before = completing(fake_api, "<i>")
    count = 30
    client.runs.map(AGENT, [f"input {number}" for number in range(count)]).show()
    assert "30 completed; the latest 20 results:" in notebook.html
    assert "&lt;i&gt;" in notebook.html
    assert capsys.readouterr().out == ""


def test_showing_results_raises_what_iterating_raises(
    client: duvo.Client, fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = Notebook(monkeypatch)
    results = client.runs.map(AGENT, ["a"], on_request="raise")

    def ask(seen: ReceivedRequest) -> None:
        with fake_api.lock:
            for run_id, run in fake_api.runs.items():
                if run["status"] == "pending":
                    fake_api.ask(run_id)

    fake_api.before = ask
    with pytest.raises(duvo.MapIncomplete):
        results.show()
    assert "1 failed" in notebook.html


class Interrupted:
    """A driver that raises KeyboardInterrupt in place of one of its steps."""

    def __init__(self, driver: Any, step: int):
        self._driver = driver
        self._left = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def perform(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return self._driver.perform(*arguments)


@pytest.mark.long
@pytest.mark.blocking_only
@pytest.mark.parametrize("step", range(1, 30, 2))
def test_results_are_shown_to_their_end_after_ctrl_c_in_an_interactive_session(
    client: duvo.Client, fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    fake_api.before = completing(fake_api)
    results = client.runs.map(AGENT, ["a", "b", "c"], concurrency=1)
    results._driver = Interrupted(results._driver, step)
    with pytest.raises(KeyboardInterrupt):
        results.show()
    shown = results.show()
    assert sorted(result.input for result in shown) == ["a", "b", "c"]
    assert fake_api.count("POST", "/runs") == 3


@pytest.mark.blocking_only
def test_a_run_is_shown_again_after_ctrl_c(
    client: duvo.Client,
    conversation: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = client.runs.run(conversation)
    perform = client._driver.perform
    monkeypatch.setattr(client._driver, "perform", Interrupted(client._driver, 2).perform)
    with pytest.raises(KeyboardInterrupt):
        run.show()
    capsys.readouterr()
    monkeypatch.setattr(client._driver, "perform", perform)
    run.show()
    assert len(capsys.readouterr().out.splitlines()) == 3
