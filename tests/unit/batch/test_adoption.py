"""Finding the run that a start of unknown outcome made."""

from __future__ import annotations

import json
from typing import Any

import pytest

import duvo
from duvo._batch import adoption
from duvo._batch.adoption import Found
from duvo._batch.opening import Opening, fit
from duvo._time.clock import Deadline
from tests.servers.fake_api import AGENT, DropConnection, FakeAPI, ReceivedRequest
from tests.support.clocks import StoppedClock

OTHER_AGENT = "33333333-3333-4333-8333-333333333333"
NOTHING: dict[str, Any] = {"created_at": None, "ids": []}


def find_runs(client: duvo.Client, *given: Any, **named: Any) -> list[Found]:
    return client._driver.run(adoption.find_runs(client._driver.api, *given, **named))


def newest_mark(client: duvo.Client, agent_id: str) -> dict[str, Any]:
    return client._driver.run(adoption.newest_mark(client._driver.api, agent_id))


def has_none(run_id: str) -> bool:
    return False


def begun(fake_api: FakeAPI, *texts: str, speaks: bool = True, **fields: Any) -> str:
    """Start a run whose conversation begins with these texts of the user."""
    run_id = fake_api.start(**fields)
    for text in texts:
        fake_api.say(run_id, text, role="user")
    if speaks:
        fake_api.say(run_id, "", role="system", type="session_started", text_content=None)
        fake_api.say(run_id, "I look into it.")
    return run_id


def found(client: duvo.Client, message: str | None, **given: Any) -> str | None:
    (one,) = find_runs(client, AGENT, [message], **{"mark": NOTHING, "has_run": has_none, **given})
    assert not one.undecided
    return one.state and one.state.id


# By the message


def test_a_run_whose_start_response_was_lost_is_found(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for number in range(3):
        begun(fake_api, "instructions", f"Process INV-{number}")
    mark = newest_mark(client, AGENT)

    def drop(seen: ReceivedRequest) -> None:
        if seen.method == "POST":
            raise DropConnection

    fake_api.after = drop
    with pytest.raises(duvo.OutcomeUnknown):
        client.runs.start(AGENT, "Process INV-1")
    (one,) = find_runs(client, AGENT, ["Process INV-1"], mark, has_run=has_none)
    assert one.state is not None
    assert one.state.id == list(fake_api.runs)[-1]
    assert client.runs.get(one.state.id).status == "pending"
    known = {one.state.id}.__contains__
    assert found(client, "Process INV-2", mark=mark, has_run=known) is None


def test_a_run_is_found_only_by_the_exact_start_message(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for text in ("x ", " x", "X", "x\n", "xx"):
        begun(fake_api, "instructions", text)
    begun(fake_api, "instructions", "Process y", "x")
    assert found(client, "x") is not None
    assert found(client, "x ") == next(iter(fake_api.runs))
    assert found(client, "y") is None


def test_user_messages_after_the_session_began_are_not_start_messages(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = begun(fake_api, "instructions", "Process INV-1")
    fake_api.say(run_id, "Process INV-2", role="user")
    without_session = begun(fake_api, "Process INV-3", speaks=False)
    fake_api.say(without_session, "Done.")
    fake_api.say(without_session, "Process INV-4", role="user")
    assert found(client, "Process INV-2") is None
    assert found(client, "Process INV-4") is None
    assert found(client, "Process INV-3") == without_session


@pytest.mark.parametrize(
    ("message", "texts", "whole", "expected"),
    [
        ("m", ["i", "m"], True, "yes"),
        ("m", ["m"], True, "yes"),
        ("m", ["m"], False, "yes"),
        ("m", ["i", "m", "posted"], True, "yes"),
        ("m", ["m", "posted"], True, "maybe"),
        ("m", ["m", "another start"], False, "maybe"),
        ("m", ["i"], False, "not yet"),
        ("m", [], False, "not yet"),
        ("m", ["i"], True, "no"),
        ("m", [], True, "no"),
        ("m", ["i", "n"], False, "no"),
        (None, [], True, "yes"),
        (None, ["i"], True, "maybe"),
        (None, ["i"], False, "not yet"),
        (None, [], False, "not yet"),
        (None, ["i", "n"], False, "no"),
        (None, [""], True, "maybe"),
        ("", [], True, "no"),
        ("", ["i", ""], True, "yes"),
    ],
)
def test_an_opening_is_compared_with_the_start_message(
    message: str | None, texts: list[str], whole: bool, expected: str
) -> None:
    assert fit(message, Opening(tuple(texts), whole)) == expected


def test_a_run_that_ended_without_messages_may_fit_any_start() -> None:
    assert fit("m", Opening((), True, has_ended=True)) == "maybe"
    assert fit(None, Opening((), True, has_ended=True)) == "yes"


# By agent and time


def test_runs_older_than_the_batch_are_never_adopted(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    at_once = "2026-01-01T00:00:05.000Z"
    older = begun(fake_api, "m", created_at="2026-01-01T00:00:04.999Z")
    begun(fake_api, "m", created_at=at_once)
    begun(fake_api, "m", created_at=at_once)
    mark = newest_mark(client, AGENT)
    assert json.loads(json.dumps(mark)) == mark
    assert mark["created_at"] == at_once
    assert set(mark["ids"]) == set(fake_api.runs) - {older}
    assert found(client, "m", mark=mark) is None
    twin = begun(fake_api, "m", created_at=at_once)
    assert found(client, "m", mark=mark) == twin


def test_no_wrong_run_is_adopted_when_the_server_ignores_filters_and_order(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    begun(fake_api, "m")
    mark = newest_mark(client, AGENT)
    begun(fake_api, "m", agent_id=OTHER_AGENT)

    def forget(seen: ReceivedRequest) -> None:
        for name in ("since", "agent_id", "sort_order"):
            seen.query.pop(name, None)

    fake_api.before = forget
    assert found(client, "m", mark=mark) is None
    ours = begun(fake_api, "m")
    assert found(client, "m", mark=mark) == ours


def test_the_mark_of_an_agent_without_runs_is_empty(fake_api: FakeAPI, client: duvo.Client) -> None:
    begun(fake_api, "m", agent_id=OTHER_AGENT)
    assert newest_mark(client, AGENT) == NOTHING


def test_the_run_of_another_row_is_not_read(fake_api: FakeAPI, client: duvo.Client) -> None:
    taken = {begun(fake_api, "m") for _ in range(3)}
    assert found(client, "m", has_run=taken.__contains__) is None
    assert fake_api.count("GET", "/messages") == 0
    free = begun(fake_api, "m")
    assert found(client, "m", has_run=taken.__contains__) == free


def test_runs_without_a_creation_time_are_an_error(fake_api: FakeAPI, client: duvo.Client) -> None:
    begun(fake_api, "m")
    item = {"id": next(iter(fake_api.runs)), "agent_id": AGENT, "status": "running"}
    fake_api.before = lambda seen: (200, {"data": [item], "total": 1})
    with pytest.raises(duvo.UnexpectedAnswer, match="no time of creation"):
        newest_mark(client, AGENT)
    with pytest.raises(duvo.UnexpectedAnswer, match="no time of creation"):
        found(client, "m")


def test_a_run_that_disappears_during_the_search_is_not_adopted(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    gone = begun(fake_api, "m")
    fake_api.before = lambda seen: (404, {}) if gone in seen.path else None
    assert found(client, "m") is None


# Several starts at a time


def test_equal_starts_find_one_run_each_while_there_are_runs(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    runs = [begun(fake_api, "instructions", "m") for _ in range(2)]
    other = begun(fake_api, "instructions", "n")
    answers = find_runs(client, AGENT, ["m", "n", "m", "m"], NOTHING, has_run=has_none)
    assert [one.state and one.state.id for one in answers] == [runs[0], other, runs[1], None]
    assert answers[3] == Found(None, ())


def test_a_search_reads_the_list_once_and_each_candidate_once(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for number in range(250):
        begun(fake_api, f"m{number}")
    known = set(list(fake_api.runs)[:230])
    messages = [f"m{number}" for number in range(230, 250)]
    answers = find_runs(client, AGENT, messages, NOTHING, has_run=known.__contains__)
    assert all(one.state for one in answers)
    assert fake_api.count("GET", "/runs") == 3
    assert fake_api.count("GET", "/messages") == 20


# Uncertain outcomes


def test_a_start_without_a_message_adopts_the_only_run_that_may_fit(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    begun(fake_api, "instructions", "with a message")
    first = begun(fake_api, "instructions")
    assert found(client, None) == first
    begun(fake_api, "instructions")
    assert found(client, None) is None
    both = find_runs(client, AGENT, [None, None], NOTHING, has_run=has_none)
    assert all(one.state for one in both)


def test_a_run_that_several_starts_may_have_made_is_not_adopted(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    begun(fake_api, speaks=False, status="failed")
    answers = find_runs(client, AGENT, ["m", "n"], NOTHING, has_run=has_none)
    assert answers == [Found(), Found()]
    assert found(client, "m") == next(iter(fake_api.runs))


def test_a_conversation_that_is_still_empty_is_read_again(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start("pending")
    begun(fake_api, "another start")

    def say(now: float) -> None:
        if len(clock.sleeps) == 1:
            fake_api.say(run_id, "instructions", role="user")
        if len(clock.sleeps) == 2:
            fake_api.say(run_id, "m", role="user")

    clock.on_sleep = say
    assert found(client, "m", deadline=Deadline(clock, 10)) == run_id
    assert clock.sleeps == [0.5, 1.0]


def test_a_run_that_appears_late_is_found(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    begun(fake_api, "another start")
    clock.on_sleep = lambda now: len(fake_api.runs) == 1 and begun(fake_api, "m")
    assert found(client, "m", deadline=Deadline(clock, 10)) == list(fake_api.runs)[-1]
    assert len(clock.sleeps) == 1


def test_the_outcome_stays_unknown_while_a_candidate_says_nothing(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    silent = fake_api.start("pending")
    deadline = Deadline(clock, 3)
    (one,) = find_runs(client, AGENT, ["m"], NOTHING, has_run=has_none, deadline=deadline)
    assert one == Found(None, (silent,))
    assert sum(clock.sleeps) == 3


def test_a_search_without_candidates_ends_at_the_deadline(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    assert found(client, "m", deadline=Deadline(clock, 4)) is None
    assert sum(clock.sleeps) == 4
