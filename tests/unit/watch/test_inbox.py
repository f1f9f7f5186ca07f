"""Pending human requests across runs."""

from __future__ import annotations

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest

OTHER_AGENT = "33333333-3333-4333-8333-333333333333"


def test_the_request_that_has_waited_longest_comes_first(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = [fake_api.start() for _ in range(4)]
    for run_id in (runs[2], runs[0], runs[3], runs[1]):
        fake_api.ask(run_id)
    waiting = list(client.runs.inbox())
    assert [run.id for run in waiting] == [runs[2], runs[0], runs[3], runs[1]]
    requests = [run.pending_request for run in waiting]
    assert [request and request.title for request in requests] == ["Post INV-1042?"] * 4


def test_a_request_is_yielded_before_newer_runs_are_read(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = []
    for _ in range(3):
        runs.append(fake_api.start())
        fake_api.ask(runs[-1])
    inbox = client.runs.inbox()
    assert next(inbox).id == runs[0]
    assert [fake_api.count("GET", run_id) for run_id in runs] == [1, 0, 0]
    assert [run.id for run in inbox] == runs[1:]
    assert [fake_api.count("GET", run_id) for run_id in runs] == [1, 1, 1]


def test_the_inbox_omits_runs_that_were_answered_or_deleted_meanwhile(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = [fake_api.start() for _ in range(3)]
    for run_id in runs:
        fake_api.ask(run_id)

    def spoil(seen: ReceivedRequest) -> None:
        if seen.path.endswith("/runs"):
            fake_api.pending.pop(runs[0])
            fake_api.runs.pop(runs[1])

    fake_api.after = spoil
    assert [run.id for run in client.runs.inbox()] == [runs[2]]


def test_no_request_is_lost_while_others_are_answered_elsewhere(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = [fake_api.start() for _ in range(250)]
    for run_id in runs:
        fake_api.ask(run_id)
    answered = runs[10:80]

    def answer_some(seen: ReceivedRequest) -> None:
        if len(fake_api.requests) == 2:
            for run_id in answered:
                fake_api.end(run_id)

    fake_api.before = answer_some
    assert [run.id for run in client.runs.inbox()] == runs[:10] + runs[80:]


def test_the_inbox_omits_runs_of_other_agents_if_the_server_ignores_the_filter(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    mine, others = fake_api.start(), fake_api.start(agent_id=OTHER_AGENT)
    for run_id in (mine, others):
        fake_api.ask(run_id)
    asked_for = []

    def ignore_the_filter(seen: ReceivedRequest) -> None:
        asked_for.append(seen.query.pop("agent_id", None))

    fake_api.before = ignore_the_filter
    assert [run.id for run in client.runs.inbox(AGENT.upper())] == [mine]
    assert asked_for[0] == AGENT.upper()


def test_requests_without_a_time_are_in_the_inbox(fake_api: FakeAPI, client: duvo.Client) -> None:
    first, second = fake_api.start(), fake_api.start()
    fake_api.ask(first)
    fake_api.ask(second, created_at=None)
    items = [{**fake_api.runs[run_id], "created_at": None} for run_id in (first, second)]
    fake_api.before = lambda seen: (
        (200, {"data": items, "total": 2}) if seen.path.endswith("/runs") else None
    )
    assert {run.id for run in client.runs.inbox()} == {first, second}


def test_runs_of_the_inbox_keep_the_fields_of_the_list(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.ask(fake_api.start())
    (run,) = client.runs.inbox()
    assert (run.agent_name, run.title) == ("Invoice approver", "Process today's queue")
    assert "agent_name" not in run.raw["run"]
