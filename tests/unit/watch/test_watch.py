"""Watching many runs: the events, and the requests that it takes."""

from __future__ import annotations

import logging
import pickle
import threading
from collections import Counter
from typing import Any

import pytest

import duvo
from duvo import Event
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.support.clocks import StoppedClock


def summary(events: list[Event], run_id: str) -> list[str]:
    """Return the types of a run's events, in order, with the texts of messages."""
    return [
        f"{one.type} {one.message.content}" if one.message is not None else one.type
        for one in events
        if one.run.id == run_id
    ]


def requests_sent(fake_api: FakeAPI) -> Counter[str]:
    kinds = {f"/v2/teams/{TEAM}/runs": "list"}
    return Counter(
        kinds.get(one.path, "messages" if one.path.endswith("/messages") else "run")
        for one in fake_api.requests
    )


def test_events_of_many_runs_come_as_they_happen(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    first, second = fake_api.start("pending"), fake_api.start()

    def work(now: float) -> None:
        if now > 1003 and fake_api.runs[first]["status"] == "pending":
            fake_api.runs[first]["status"] = "running"
        elif now > 1006 and not fake_api.pending and fake_api.runs[second]["status"] == "running":
            fake_api.ask(second)
        elif now > 1010:
            fake_api.end(first, "failed")

    clock.on_sleep = work
    events = []
    for event in client.runs.watch([first, second]):
        events.append((event.type, event.run.id, event.run.status))
        if event.type == "human_request":
            assert event.request is not None
            assert event.request.title == "Post INV-1042?"
            event.run.respond(approve=True)
            fake_api.end(second)
    assert events == [
        ("status", second, "running"),
        ("status", first, "pending"),
        ("status", first, "running"),
        ("status", second, "waiting"),
        ("human_request", second, "waiting"),
        ("status", second, "completed"),
        ("finished", second, "completed"),
        ("status", first, "failed"),
        ("finished", first, "failed"),
    ]


def test_watched_messages_come_in_order_and_before_the_end(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(5)]
    said = dict.fromkeys(runs, 0)

    def work(now: float) -> None:
        for number, run_id in enumerate(runs):
            if fake_api.runs[run_id]["status"] == "completed":
                continue
            for _ in range(number + 1):
                fake_api.say(run_id, f"{said[run_id]}")
                said[run_id] += 1
            if said[run_id] > 130:
                fake_api.end(run_id)

    clock.on_sleep = work
    events = list(client.runs.watch(runs, messages=True))
    for run_id in runs:
        messages = [f"message {number}" for number in range(said[run_id])]
        kinds = [one for one in summary(events, run_id) if one != "status"]
        assert kinds == [*messages, "finished"]
    assert all(one.run.answer for one in events if one.type == "finished")


def test_watching_quiet_runs_reads_a_page_for_each_hundred(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [client.runs.start(AGENT) for _ in range(250)]
    fake_api.requests.clear()
    rounds = 0

    def work(now: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 10:
            for run in runs:
                fake_api.end(run.id)

    clock.on_sleep = work
    assert len([one for one in client.runs.watch(runs) if one.type == "finished"]) == 250
    # Three pages a round, and no request for a single run.
    assert requests_sent(fake_api) == {"list": 33}


def test_runs_that_are_known_only_by_id_are_searched_in_the_list(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(150)]
    clock.on_sleep = lambda now: [fake_api.end(run_id) for run_id in runs]
    assert len([one for one in client.runs.watch(runs) if one.type == "finished"]) == 150
    assert requests_sent(fake_api) == {"list": 4}


def test_watching_a_few_old_runs_among_many_others_soon_reads_only_those(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    watched = []
    for number in range(900):
        run_id = fake_api.start()
        if number % 300 == 0:
            watched.append(run_id)
    rounds: list[Counter[str]] = []

    def work(now: float) -> None:
        rounds.append(requests_sent(fake_api))
        fake_api.requests.clear()
        if len(rounds) == 5:
            for run_id in watched:
                fake_api.end(run_id)

    clock.on_sleep = work
    runs = [client.runs.get(run_id) for run_id in watched]
    fake_api.requests.clear()
    assert {one.run.id for one in client.runs.watch(runs) if one.type == "finished"} == {*watched}
    # The list is read only as long as that may save requests.
    assert rounds == [{"list": 3, "run": 2}, {"list": 1, "run": 3}, *[{"run": 3}] * 3]


def test_a_round_reads_the_list_only_to_its_oldest_run(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    for _ in range(500):
        fake_api.start(created_at="2025-12-31T00:00:00Z")
    runs = [client.runs.get(fake_api.start()) for _ in range(30)]
    fake_api.runs.pop(runs[0].id)
    fake_api.requests.clear()
    with pytest.raises(duvo.NotFound):
        list(client.runs.watch(runs))
    assert requests_sent(fake_api) == {"list": 1, "run": 1}


def test_watching_old_runs_reads_only_pages_if_the_server_filters_by_creation(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.headers["duvo-created-since"] = "honoured"
    watched = []
    for number in range(900):
        run_id = fake_api.start()
        if number % 300 == 0:
            watched.append(run_id)
    clock.on_sleep = lambda now: [fake_api.end(run_id) for run_id in watched]
    runs = [client.runs.get(run_id) for run_id in watched]
    fake_api.requests.clear()
    assert {one.run.id for one in client.runs.watch(runs) if one.type == "finished"} == {*watched}
    assert requests_sent(fake_api) == {"list": 6}


@pytest.mark.parametrize("offered", [{}, {"duvo-created-since": "honoured"}])
def test_watching_never_filters_by_completion(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, offered: dict[str, str]
) -> None:
    fake_api.headers |= offered
    runs = [fake_api.start() for _ in range(150)]
    clock.on_sleep = lambda now: [fake_api.end(run_id) for run_id in runs if now > 1010]
    assert len(client.runs.wait_all(runs)) == 150
    names = {name for seen in fake_api.requests for name in seen.query}
    assert not names & {"since", "until"}
    assert ("created_since" in names) == bool(offered)


def test_a_watched_run_that_is_missing_in_the_list_is_read_individually(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    shown, hidden = fake_api.start(), fake_api.start()
    answer = fake_api.answer

    def hide(seen: Any) -> tuple[int, Any]:
        status, body = answer(seen)
        if "data" in body:
            body["data"] = [one for one in body["data"] if one["id"] != hidden]
        return status, body

    fake_api.answer = hide  # type: ignore[method-assign]
    clock.on_sleep = lambda now: [fake_api.end(one) for one in (shown, hidden) if now > 1010]
    events = list(client.runs.watch([shown, hidden]))
    assert summary(events, hidden) == ["status", "status", "finished"]


def test_watching_reads_only_pages_if_the_server_ignores_the_order(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(350)]
    fake_api.before = lambda seen: seen.query.pop("sort_order", None) and None
    loaded = list(client.runs.list(limit=250))
    rounds = 0

    def work(now: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            fake_api.requests.clear()
        if rounds == 13:
            for run_id in runs:
                fake_api.end(run_id)

    clock.on_sleep = work
    assert len([one for one in client.runs.watch(loaded) if one.type == "finished"]) == 250
    assert requests_sent(fake_api)["run"] == 0
    assert requests_sent(fake_api)["list"] <= 11 * 4


@pytest.mark.long
@pytest.mark.blocking_only
def test_a_list_that_does_not_show_new_messages_is_detected(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.reports_updates = False
    runs = [fake_api.start() for _ in range(8)]
    delays: list[float] = []
    spoken: dict[str, float] = {}

    def work(now: float) -> None:
        number = int(now) % 8
        text = f"{now}"
        spoken[text] = now
        fake_api.say(runs[number], text)
        if now > 1260:
            for run_id in runs:
                fake_api.end(run_id)

    clock.on_sleep = work
    heard = set()
    for event in client.runs.watch(runs, messages=True):
        if event.message is not None:
            heard.add(event.message.content)
            delays.append(clock.time - spoken[event.message.content])
    assert heard == set(spoken)
    assert not client._driver.api.server.list_shows_changes
    # From then on every run is read in every round, so no message waits for a sweep.
    late = [delay for delay, text in zip(delays, spoken, strict=False) if float(text) > 1150]
    assert max(late) < 2


def test_a_list_that_shows_new_messages_is_trusted(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(5)]

    def work(now: float) -> None:
        fake_api.say(runs[int(now) % 5], "hello")
        if now > 1300:
            for run_id in runs:
                fake_api.end(run_id)

    clock.on_sleep = work
    list(client.runs.watch(runs, messages=True))
    assert client._driver.api.server.list_shows_changes


def test_a_second_request_that_the_list_does_not_show_is_found(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.reports_updates = False
    run_id = fake_api.start()
    fake_api.ask(run_id)
    asked = []
    for event in client.runs.watch([run_id]):
        if event.request is not None:
            asked.append(event.request.id)
            event.run.respond(approve=True)
            if len(asked) < 3:
                # At once, so that no round of the list shows it running.
                fake_api.ask(run_id)
            else:
                fake_api.end(run_id)
    assert len(set(asked)) == 3


def test_events_of_runs_known_to_have_ended_come_at_once_without_a_request(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id, "interrupted")
    run = client.runs.get(run_id)
    fake_api.requests.clear()
    events = list(client.runs.watch([run]))
    assert summary(events, run_id) == ["status", "finished"]
    assert events[-1].run.status == "stopped"
    assert fake_api.requests == []


def test_watching_an_unknown_run_is_an_error(fake_api: FakeAPI, client: duvo.Client) -> None:
    missing = "99999999-9999-4999-8999-999999999999"
    with pytest.raises(duvo.NotFound, match=missing):
        list(client.runs.watch([fake_api.start(), missing]))


def test_a_watch_continues_when_the_messages_of_one_run_may_not_be_read(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    closed, open_ = fake_api.start(), fake_api.start()
    fake_api.say(open_, "hello")
    fake_api.before = lambda seen: (
        (403, {"error": "forbidden"}) if seen.path == f"/v2/runs/{closed}/messages" else None
    )
    clock.on_sleep = lambda now: [fake_api.end(one) for one in (closed, open_)]
    events = list(client.runs.watch([closed, open_], messages=True))
    assert "message hello" in summary(events, open_)
    assert summary(events, closed)[-1] == "finished"
    assert sum("cannot be read" in one.getMessage() for one in caplog.records) == 1


def test_a_watch_continues_after_an_outage_that_is_logged_once(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "duvo")
    runs = [fake_api.start() for _ in range(3)]
    fake_api.before = lambda seen: (502, b"<html>") if 1002 < clock.time < 1060 else None

    def work(now: float) -> None:
        if now > 1001 and not fake_api.conversations[runs[0]]:
            for run_id in runs:
                fake_api.say(run_id, "hello")
                fake_api.end(run_id)

    clock.on_sleep = work
    events = list(client.runs.watch(runs, messages=True))
    assert [summary(events, run_id)[-2:] for run_id in runs] == [["message hello", "finished"]] * 3
    assert caplog.records[0].getMessage().startswith("the runs cannot be read, still trying")
    assert len(caplog.records) == 2


def test_the_timeout_of_a_watch_limits_its_whole_duration(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(2)]
    with pytest.raises(duvo.WaitTimeout, match="not all runs ended within 30 s"):
        list(client.runs.watch(runs, timeout=30))
    assert clock.time == pytest.approx(1030)


def test_a_watch_can_be_closed_from_another_thread(fake_api: FakeAPI, client: duvo.Client) -> None:
    with client.runs.watch([fake_api.start()]) as watch:
        assert next(watch).type == "status"
        threading.Timer(0.1, watch.close).start()
        assert list(watch) == []


def test_a_run_that_is_given_twice_is_watched_once(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    events = list(client.runs.watch([run_id, client.runs.get(run_id), run_id.upper()]))
    assert [one.type for one in events] == ["status", "finished"]


@pytest.mark.parametrize("given", ["one-id", [7], [None]])
def test_an_argument_of_watch_that_is_not_a_list_of_runs_is_refused(
    client: duvo.Client, given: Any
) -> None:
    with pytest.raises(duvo.ConfigError):
        client.runs.watch(given)


def test_a_watch_of_no_runs_ends_at_once(fake_api: FakeAPI, client: duvo.Client) -> None:
    assert list(client.runs.watch([])) == []
    assert fake_api.requests == []


@pytest.mark.blocking_only
def test_events_can_be_serialized_and_pickled(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "hello")
    fake_api.ask(run_id)
    for event in client.runs.watch([run_id], messages=True):
        copy = pickle.loads(pickle.dumps(event))
        assert (copy.type, copy.run.id, copy.message) == (event.type, run_id, event.message)
        assert KEY not in repr(event)
        document = event.to_dict()
        assert document["run"]["id"] == run_id
        if event.type == "message":
            assert document["message"]["content"] == "hello"
        if event.type == "human_request":
            assert document["request"]["type"] == "approval"
            fake_api.end(run_id)


def test_as_completed_yields_runs_with_their_answers_as_they_end(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    slow, quick = fake_api.start(), fake_api.start()

    def work(now: float) -> None:
        for run_id, moment in ((quick, 1005), (slow, 1020)):
            if now > moment and fake_api.runs[run_id]["status"] == "running":
                fake_api.say(run_id, f"done at {moment}")
                fake_api.end(run_id)

    clock.on_sleep = work
    ended = list(client.runs.as_completed([slow, quick]))
    assert [(run.id, run.answer) for run in ended] == [
        (quick, "done at 1005"),
        (slow, "done at 1020"),
    ]


def test_on_request_of_wait_all_replies_to_every_request(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(3)]
    for run_id in runs:
        fake_api.ask(run_id)
    asked: Counter[str] = Counter()

    def decide(request: duvo.HumanRequest) -> bool:
        assert request.run_id is not None
        asked[request.run_id] += 1
        return True

    def work(now: float) -> None:
        for run_id in runs:
            if run_id not in fake_api.pending and fake_api.runs[run_id]["status"] == "running":
                fake_api.ask(run_id) if asked[run_id] < 2 else fake_api.end(run_id)

    clock.on_sleep = work
    waited = client.runs.wait_all(runs, on_request=decide)
    assert [run.id for run in waited] == runs
    assert asked == dict.fromkeys(runs, 2)
    assert fake_api.count("POST", "/respond") == 6


def test_wait_all_logs_an_unanswered_request_once_and_waits(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    clock.on_sleep = lambda now: fake_api.end(run_id) if now > 1100 else None
    client.runs.wait_all([run_id])
    assert sum("waits for a human" in one.getMessage() for one in caplog.records) == 1


def test_wait_all_raises_a_request_with_on_request_raise(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    with pytest.raises(duvo.HumanRequestPending) as caught:
        client.runs.wait_all([fake_api.start(), run_id], on_request="raise")
    assert caught.value.run == client.runs.run(run_id)


def test_wait_all_keeps_the_order_and_checks_at_the_end(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    runs = [fake_api.start() for _ in range(3)]
    fake_api.end(runs[1], "failed")
    clock.on_sleep = lambda now: [fake_api.end(runs[number]) for number in (2, 0)]
    assert [run.status for run in client.runs.wait_all(runs)] == [
        "completed",
        "failed",
        "completed",
    ]
    with pytest.raises(duvo.RunFailed, match=runs[1]):
        client.runs.wait_all(runs, check=True)


def test_wait_all_returns_a_run_for_each_that_is_given(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    one, other = fake_api.start("completed"), fake_api.start("completed")
    waited = client.runs.wait_all([one, client.runs.run(other), one.upper(), one], check=True)
    assert [run.id for run in waited] == [one, other, one, one]
    assert [run.answer for run in waited] == [None] * 4
    assert fake_api.count("GET", f"/{one}/messages") == 1


def test_wait_all_ends_at_its_timeout(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    with pytest.raises(duvo.WaitTimeout):
        client.runs.wait_all([fake_api.start()], timeout=12)


def test_as_completed_yields_a_run_known_to_have_ended_before_it_reads_the_list(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    ended = fake_api.start()
    fake_api.end(ended)
    runs = [client.runs.get(ended), client.runs.get(fake_api.start())]
    fake_api.before = lambda seen: (403, {"error": "no"}) if seen.path.endswith("/runs") else None
    completed = client.runs.as_completed(runs)
    assert next(completed).id == ended
    with pytest.raises(duvo.PermissionDenied):
        next(completed)
