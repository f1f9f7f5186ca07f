"""Human requests of the runs of a batch."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Executor, Future
from typing import Any

import pytest

import duvo
from duvo._batch import tasks
from tests.servers.fake_api import AGENT, KEY, DropConnection, FakeAPI, ReceivedRequest
from tests.support.command import wait_for
from tests.unit.batch.conftest import Agent


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ({"on_request": "approve"}, {"approved": True}),
        ({"on_request": "deny"}, {"approved": False}),
        ({"on_request": lambda request: request.type == "approval"}, {"approved": True}),
    ],
)
def test_approvals_of_a_batch_are_decided_by_on_request(
    client: duvo.Client, agent: Agent, arguments: Any, reply: dict[str, Any]
) -> None:
    agent.does = lambda message: "ask"
    inputs = [str(number) for number in range(10)]
    results = list(client.runs.map(AGENT, inputs, **arguments))
    assert {one.run.answer for one in results} == {f"{given}: {reply}" for given in inputs}
    assert agent.replies == {given: [reply] for given in inputs}


@pytest.mark.parametrize(
    "arguments",
    [
        {"answers": {"one": "red"}},
        {"answers": ["one=red"], "on_request": "raise"},
        {"on_request": lambda request: {"Which?": "red"}},
    ],
)
def test_questions_of_a_batch_are_answered_by_on_request_or_answers(
    client: duvo.Client, agent: Agent, arguments: Any
) -> None:
    agent.does = lambda message: "question"
    (result,) = client.runs.map(AGENT, ["a"], **arguments)
    assert result.run.answer == "a: {'answers': {'Which?': 'red'}}"


@pytest.mark.parametrize(
    ("what", "arguments", "kind"),
    [
        ("ask", {"on_request": "raise"}, duvo.HumanRequestPending),
        ("question", {"on_request": "approve"}, duvo.HumanRequestPending),
        ("ask", {"on_request": lambda request: {"Which?": "red"}}, duvo.InvalidReply),
        ("question", {"on_request": lambda request: True}, duvo.InvalidReply),
    ],
)
def test_requests_that_cannot_be_answered_are_reported_at_the_end(
    client: duvo.Client, agent: Agent, what: str, arguments: Any, kind: type[duvo.DuvoError]
) -> None:
    agent.does = lambda message: what if message == "b" else "completed"
    results = client.runs.map(AGENT, ["a", "b", "c"], concurrency=1, **arguments)
    assert [next(results).input, next(results).input] == ["a", "c"]
    with pytest.raises(duvo.MapIncomplete) as caught:
        next(results)
    ((index, given, error),) = caught.value.failures
    assert (index, given, type(error)) == (1, "b", kind)
    assert agent.replies == {}
    assert results.progress == duvo.Progress(completed=2, failed=1)


def test_contradicting_standing_answers_of_a_batch_are_reported_once(
    client: duvo.Client, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    agent.does = lambda message: "question"
    results = client.runs.map(AGENT, ["a", "b", "c"], answers=["one=red", "1=blue"])
    with pytest.raises(duvo.MapIncomplete) as caught:
        list(results)
    kinds = [type(error) for _, _, error in caught.value.failures]
    assert kinds == [duvo.HumanRequestPending] * 3
    assert agent.replies == {}
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "takes one answer, but 'red' and 'blue' are given" in warning.message


@pytest.mark.parametrize("choice", [None, "leave", lambda request: None])
def test_a_request_that_is_left_open_is_reported_once_and_can_be_answered_elsewhere(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, caplog: Any, choice: Any
) -> None:
    agent.does = lambda message: "ask" if message == "b" else "completed"
    results = client.runs.map(AGENT, ["a", "b"], on_request=choice)
    with caplog.at_level(logging.DEBUG):
        assert next(results).input == "a"
        seen: list[duvo.Result] = []
        thread = threading.Thread(target=lambda: seen.extend(results))
        thread.start()
        wait_for(lambda: results.progress.waiting == 1)
        (run_id,) = agent.at_work
        reads = fake_api.count("GET", run_id)
        wait_for(lambda: fake_api.count("GET", run_id) > reads + 2)
        client.runs.run(run_id).respond(approve=False)
        thread.join(20)
    assert [one.run.answer for one in seen] == ["b: {'approved': False}"]
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == (0 if callable(choice) else 1)
    assert KEY not in caplog.text


def test_an_exception_of_on_request_reaches_the_caller_of_map(
    client: duvo.Client, agent: Agent
) -> None:
    def decide(request: duvo.HumanRequest) -> bool:
        raise ZeroDivisionError("mine")

    agent.does = lambda message: "ask"
    with pytest.raises(ZeroDivisionError, match="mine"):
        list(client.runs.map(AGENT, ["a"], on_request=decide))


class Undecided(Executor):
    """Never decides, fails on demand, and reads answers at once."""

    def __init__(self, fake_api: FakeAPI):
        self._fake_api = fake_api
        self.decision: Future[Any] = Future()

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if work is tasks.reply_in_executor:
            self._fake_api.end(arguments[1].id)
            return self.decision
        self.fail()
        read: Future[Any] = Future()
        read.set_result(work(*arguments))
        return read

    def fail(self) -> None:
        if not self.decision.done():
            self.decision.set_exception(duvo.InvalidReply("nobody can say"))


@pytest.mark.blocking_only
@pytest.mark.parametrize("moment", ["as its end is read", "before its answer was read"])
def test_an_invalid_reply_to_a_run_that_has_ended_is_ignored(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, moment: str
) -> None:
    agent.does = lambda message: "ask"
    executor = Undecided(fake_api)

    def after(seen: ReceivedRequest) -> None:
        ended = [one for one in fake_api.runs.values() if one["status"] == "completed"]
        if ended and moment == "as its end is read":
            executor.fail()

    fake_api.after = after
    results = client.runs.map(AGENT, ["a"], executor=executor)
    assert [one.run.status for one in results] == ["completed"]
    assert results.progress == duvo.Progress(completed=1)


def test_a_run_that_ends_while_on_request_decides_is_a_result(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent
) -> None:
    agent.does = lambda message: "ask"
    decided = threading.Event()

    def decide(request: duvo.HumanRequest) -> bool:
        fake_api.end(str(request.run_id))
        assert decided.wait(20)
        return True

    results = client.runs.map(AGENT, ["a"], on_request=decide)
    assert next(results).run.status == "completed"
    decided.set()
    assert list(results) == []
    assert agent.replies == {}


def test_a_reply_whose_response_was_lost_is_sent_once(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent
) -> None:
    agent.does = lambda message: "ask"
    lost: set[str] = set()

    def after(seen: ReceivedRequest) -> None:
        agent.after(seen)
        if seen.path.endswith("/respond") and seen.path not in lost:
            lost.add(seen.path)
            raise DropConnection

    fake_api.after = after
    inputs = ["a", "b", "c"]
    results = list(client.runs.map(AGENT, inputs, on_request="approve"))
    assert len(results) == len(lost) == fake_api.count("POST", "/respond") == 3
    assert agent.replies == {given: [{"approved": True}] for given in inputs}


@pytest.mark.blocking_only
def test_a_reply_in_an_executor_does_not_change_the_batchs_run(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    run = client.runs.get(run_id)
    request = run.pending_request
    assert request is not None

    def drop(seen: ReceivedRequest) -> None:
        if seen.path.endswith("/respond"):
            raise DropConnection

    fake_api.after = drop
    # The reply reads a running run; the batch may already know that it has ended.
    assert tasks.reply_in_executor(run._driver, run._state, request, "approve", None)
    assert run.status == "waiting"
    assert fake_api.count("POST", "/respond") == 1


@pytest.mark.long
def test_slow_decisions_do_not_delay_other_runs(
    client: duvo.Client, agent: Agent, fake_api: FakeAPI
) -> None:
    # As many runs ask as there are threads to decide.
    agent.does = lambda message: "ask" if int(message) < 8 else "completed"
    decided = threading.Event()
    results = client.runs.map(
        AGENT, map(str, range(40)), concurrency=10, on_request=lambda request: decided.wait(20)
    )
    with results:
        ended = [next(results).input for _ in range(32)]
        assert sorted(ended, key=int) == [str(number) for number in range(8, 40)]
        decided.set()
        assert len(list(results)) == 8
