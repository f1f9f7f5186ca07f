"""Agents by name, whose ids are kept for a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.clocks import StoppedClock

MOVED = "33333333-3333-4333-8333-333333333333"

USES: dict[str, Callable[[duvo.Client], Any]] = {
    "start": lambda client: client.runs.start("Invoice approver"),
    "ask": lambda client: client.runs.ask("Invoice approver", timeout=60),
    "get": lambda client: client.agents.get("Invoice approver"),
    "list": lambda client: next(client.runs.list(agent="Invoice approver")),
    "stopped": lambda client: next(client.runs.list("stopped", agent="Invoice approver")),
    "inbox": lambda client: next(client.runs.inbox(agent="Invoice approver")),
}


def refuse_the_old_agent(fake_api: FakeAPI) -> None:
    def refuse(seen: ReceivedRequest) -> Any:
        agent_id = seen.json["agent_id"] if seen.method == "POST" else seen.query.get("agent_id")
        if agent_id and agent_id not in [one["id"] for one in fake_api.agents]:
            return 404, {"error": "no such agent"}
        return None

    def end(seen: ReceivedRequest) -> None:
        if seen.method == "POST":
            for run_id in fake_api.runs:
                fake_api.end(run_id)

    for agent_id in (AGENT, MOVED):
        fake_api.start("interrupted", agent_id=agent_id)
        fake_api.ask(fake_api.start(agent_id=agent_id))
    fake_api.before, fake_api.after = refuse, end


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_name_whose_agent_is_not_found_is_looked_up_again(
    fake_api: FakeAPI, client: duvo.Client, use: Callable[[duvo.Client], Any]
) -> None:
    refuse_the_old_agent(fake_api)
    use(client)
    first = len(fake_api.requests)
    fake_api.agents = [{"id": MOVED, "name": "Invoice approver"}]
    found = use(client)
    assert MOVED in (found.id, getattr(found, "agent_id", None))
    lookups = [one for one in fake_api.requests[first:] if one.path.endswith("/agents")]
    assert len(lookups) == 1
    starts = [one for one in fake_api.requests[first:] if one.method == "POST"]
    # A start for another agent is another call.
    assert len({one.headers["idempotency-key"] for one in starts}) == len(starts)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_name_whose_agent_was_deleted_is_reported_as_unknown(
    fake_api: FakeAPI, client: duvo.Client, use: Callable[[duvo.Client], Any]
) -> None:
    refuse_the_old_agent(fake_api)
    use(client)
    fake_api.agents = []
    with pytest.raises(duvo.NotFound, match="no agent is called 'Invoice approver'"):
        use(client)


@pytest.mark.parametrize("known", [False, True])
def test_a_start_refused_with_404_for_another_reason_is_sent_once(
    fake_api: FakeAPI, client: duvo.Client, known: bool
) -> None:
    if known:
        client.runs.start("Invoice approver")
    missing = (404, {"error": "no such sandbox"})
    fake_api.before = lambda seen: missing if seen.method == "POST" else None
    before = len(fake_api.requests)
    with pytest.raises(duvo.NotFound, match="no such sandbox"):
        client.runs.start("Invoice approver", sandbox_id="gone")
    sent = [one.method for one in fake_api.requests[before:]]
    assert sent == (["POST", "GET"] if known else ["GET", "POST"])


def test_an_id_that_is_not_found_is_not_looked_up(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.before = lambda seen: (404, {"error": "no such agent"})
    with pytest.raises(duvo.NotFound):
        client.runs.start(AGENT)
    assert len(fake_api.requests) == 1


def test_a_name_is_looked_up_again_after_a_minute(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    client.runs.start("Invoice approver")
    fake_api.agents = [
        {"id": AGENT, "name": "Invoice approver (old)"},
        {"id": MOVED, "name": "Invoice approver"},
    ]
    clock.time += 59
    assert client.agents.id_of("Invoice approver") == AGENT
    clock.time += 2
    assert client.runs.start("Invoice approver").agent_id == MOVED
    assert client.agents.id_of("Invoice approver") == MOVED
    assert fake_api.count("GET", "/agents") == 2


def test_a_batch_keeps_the_id_of_its_agent(fake_api: FakeAPI, client: duvo.Client) -> None:
    def inputs() -> Iterator[str]:
        yield "one"
        fake_api.agents = [{"id": MOVED, "name": "Invoice approver"}]
        client.agents.id_of("Invoice approver")
        yield "two"

    fake_api.after = lambda seen: [fake_api.end(run_id) for run_id in fake_api.runs] and None
    for _ in client.runs.map("Invoice approver", inputs(), concurrency=1):
        pass
    starts = [one.json for one in fake_api.requests if one.method == "POST"]
    assert [start["agent_id"] for start in starts] == [AGENT, AGENT]


def test_a_name_in_other_case_is_found_where_only_one_agent_has_it(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    assert client.agents.id_of("invoice APPROVER") == AGENT
    fake_api.agents.append({"id": MOVED, "name": "INVOICE approver"})
    assert client.agents.id_of("Invoice approver") == AGENT
    assert client.agents.id_of("INVOICE approver") == MOVED
    with pytest.raises(duvo.AmbiguousAgent):
        client.agents.id_of("invoice Approver")


def test_a_name_that_no_agent_has_suggests_a_similar_one(client: duvo.Client) -> None:
    with pytest.raises(duvo.NotFound, match=r"did you mean 'Invoice approver'\?"):
        client.agents.get("Invoice aprover")
    with pytest.raises(duvo.NotFound, match=r"no agent is called 'Zebra'; client\.agents\.list"):
        client.agents.get("Zebra")
