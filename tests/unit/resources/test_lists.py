"""Lists of runs and agents: whole, lazy, filtered."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any, Literal

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the local time zone for one test."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def test_a_list_reads_pages_only_as_they_are_needed(fake_api: FakeAPI, client: duvo.Client) -> None:
    for _ in range(250):
        fake_api.start()
    runs = client.runs.list()
    assert fake_api.requests == []
    next(runs)
    assert len(fake_api.requests) == 1
    assert runs.total == 250
    assert len(list(runs)) == 249
    assert len(fake_api.requests) == 3


def test_a_limit_cuts_a_list_and_sets_its_attribute_more(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for _ in range(5):
        fake_api.start()
    cut = client.runs.list(limit=3)
    assert len(list(cut)) == 3
    assert cut.more
    whole = client.runs.list(limit=5)
    assert len(list(whole)) == 5
    assert not whole.more


def test_runs_that_start_while_a_list_is_read_cause_no_repetition(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for _ in range(150):
        fake_api.start()
    before = set(fake_api.runs)
    pages = itertools.count()
    fake_api.before = lambda seen: fake_api.start() and None if next(pages) else None
    got = [run.id for run in client.runs.list()]
    assert len(got) == len(set(got))
    assert before <= set(got)


@pytest.mark.long
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_all_running_runs_are_stopped_while_they_are_listed(
    fake_api: FakeAPI, client: duvo.Client, sort_order: Literal["asc", "desc"]
) -> None:
    at_once = fake_api.now()
    for number in range(250):
        fake_api.start(**({"created_at": at_once} if number > 120 else {}))
    for run in client.runs.list(status="running", sort_order=sort_order):
        run.stop()
    assert {run["status"] for run in fake_api.runs.values()} == {"interrupted"}


@pytest.mark.seeds(quick=10, full=60)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_runs_that_keep_their_status_are_listed_once_while_others_change(
    fake_api: FakeAPI, client: duvo.Client, sort_order: Literal["asc", "desc"], seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randrange(300)):
        fake_api.start()
    stay = set(fake_api.runs)

    def shift(seen: ReceivedRequest) -> None:
        if len(fake_api.requests) > 20:
            return
        for run_id in chance.sample(list(fake_api.runs), min(len(fake_api.runs), 40)):
            fake_api.runs[run_id]["status"] = "completed"
            stay.discard(run_id)
        for _ in range(chance.choice([0, 5, 150])):
            fake_api.start()

    fake_api.before = shift
    listed = [run.id for run in client.runs.list(status="running", sort_order=sort_order)]
    assert stay <= set(listed)
    assert len(listed) == len(set(listed))


def test_agents_that_stay_are_listed_once_while_others_come_and_go(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.agents = [{"id": f"agent-{n}", "name": f"n{n}"} for n in range(350)]
    gone = fake_api.agents[20:60]

    def shift(seen: ReceivedRequest) -> None:
        if len(fake_api.requests) == 2:
            fake_api.agents = [one for one in fake_api.agents if one not in gone]
        elif len(fake_api.requests) == 4:
            fake_api.agents.insert(0, {"id": "new", "name": "new"})

    fake_api.before = shift
    listed = [agent.id for agent in client.agents.list()]
    assert [one for one in listed if one not in [agent["id"] for agent in gone]] == [
        agent["id"] for agent in fake_api.agents if agent["id"] != "new"
    ]
    assert len(listed) == len(set(listed))


def test_paginate_loses_nothing_of_a_list_that_shifts(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_ids = [fake_api.start() for _ in range(130)]

    def stop_the_newest(seen: ReceivedRequest) -> None:
        if len(fake_api.requests) == 2:
            for run_id in run_ids[90:120]:
                fake_api.end(run_id)

    fake_api.before = stop_the_newest
    whole = client.paginate("/v2/teams/{teamId}/runs", params={"status": "running"})
    assert {run["id"] for run in whole["data"]} >= set(run_ids[:90] + run_ids[120:])


def test_filters_are_sent_in_the_form_of_the_api(
    fake_api: FakeAPI, client: duvo.Client, local_zone: Callable[[str], None]
) -> None:
    local_zone("UTC")
    list(
        client.runs.list(
            status="running",
            agent="Invoice approver",
            completed_since=datetime(2026, 1, 1, 12, tzinfo=timezone.utc),
            completed_until=date(2026, 1, 2),
            has_issues=True,
            search="INV",
            sort_order="asc",
        )
    )
    query = fake_api.requests[-1].query
    assert query == {
        "status": "running",
        "agent_id": AGENT,
        "since": "2026-01-01T12:00:00Z",
        "until": "2026-01-02T00:00:00Z",
        "has_issues": "true",
        "search": "INV",
        "sort_order": "asc",
        "limit": "100",
        "offset": "0",
    }


@pytest.mark.parametrize("refused", [None, "stopped", "interrupted"])
def test_stopped_runs_are_found_by_either_word_of_the_server(
    fake_api: FakeAPI, client: duvo.Client, refused: str | None
) -> None:
    word = "interrupted" if refused != "interrupted" else "stopped"
    stopped = [fake_api.start(word) for _ in range(3)]
    fake_api.start("running")

    def before(seen: Any) -> Any:
        if refused is not None and seen.query.get("status") == refused:
            return 400, {"error": "no such status"}
        return None

    fake_api.before = before
    runs = client.runs.list(status="stopped")
    assert [run.id for run in runs] == stopped[::-1]
    assert runs.total == 3
    assert [run.id for run in client.runs.list(status="stopped", offset=1, limit=1)] == [stopped[1]]


def test_stopped_runs_that_are_found_by_both_words_are_listed_once(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    stopped = [fake_api.start("interrupted") for _ in range(3)]

    def either_word(seen: Any) -> Any:
        seen.query["status"] = "interrupted"

    fake_api.before = either_word
    runs = client.runs.list(status="stopped")
    assert [run.id for run in runs] == stopped[::-1]
    assert runs.total == 3


def test_many_stopped_runs_created_at_one_moment_are_listed_once(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    at_once = fake_api.now()
    stopped = {fake_api.start("interrupted", created_at=at_once) for _ in range(450)}

    def either_word(seen: ReceivedRequest) -> None:
        seen.query["status"] = "interrupted"

    fake_api.before = either_word
    listed = [run.id for run in client.runs.list(status="stopped")]
    assert set(listed) == stopped
    assert len(listed) == 450


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (datetime(2026, 7, 1, 12), "2026-07-01T16:00:00Z"),
        (datetime(2026, 7, 1, 12, tzinfo=timezone.utc), "2026-07-01T12:00:00Z"),
        (date(2026, 7, 1), "2026-07-01T04:00:00Z"),
        ("2026-07-01", "2026-07-01T04:00:00Z"),
        ("2026-01-01", "2026-01-01T05:00:00Z"),
        ("2026-07-01T12:00:00.5", "2026-07-01T16:00:00.500000Z"),
        ("2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
    ],
)
def test_a_time_filter_without_a_zone_is_local(
    fake_api: FakeAPI,
    client: duvo.Client,
    local_zone: Callable[[str], None],
    given: Any,
    sent: str,
) -> None:
    local_zone("America/New_York")
    exact = datetime.fromisoformat(sent.replace("Z", "+00:00"))
    match = fake_api.start(created_at=exact.isoformat())
    fake_api.start(created_at=(exact - timedelta(microseconds=1)).isoformat())
    assert [run.id for run in client.runs.list(since=given)] == [match]
    list(client.runs.list(completed_since=given, completed_until=given))
    query = fake_api.requests[-1].query
    assert query["since"] == query["until"] == sent


def test_a_time_in_a_response_without_a_zone_is_in_utc(
    fake_api: FakeAPI, client: duvo.Client, local_zone: Callable[[str], None]
) -> None:
    local_zone("America/New_York")
    run_id = fake_api.start(created_at="2026-07-01T12:00:00")
    created = client.runs.get(run_id).created_at
    assert created == datetime(2026, 7, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("bad", ["yesterday", "", 5, "2026-99-99", "0001-01-01"])
def test_a_time_filter_that_is_not_a_time_is_refused(
    client: duvo.Client, local_zone: Callable[[str], None], bad: Any
) -> None:
    local_zone("Asia/Tokyo")
    for name in ("since", "until", "completed_since", "completed_until"):
        with pytest.raises(duvo.ConfigError, match=f"{bad!r} is (not a|out of range for a) time"):
            client.runs.list(**{name: bad})


def minutes(number: int) -> str:
    """A time some minutes after the beginning of 2026."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=number)
    return moment.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("status", [None, "stopped"])
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
@pytest.mark.parametrize("offset", [0, 3, 400])
@pytest.mark.parametrize("limit", [None, 120, 248])
def test_runs_created_since_a_time_are_cut_by_offset_and_limit_in_any_order(
    fake_api: FakeAPI,
    client: duvo.Client,
    status: str | None,
    sort_order: Literal["asc", "desc"],
    offset: int,
    limit: int | None,
) -> None:
    runs = [fake_api.start("interrupted", created_at=minutes(n)) for n in range(400)]
    found = client.runs.list(
        status, since=minutes(152), sort_order=sort_order, offset=offset, limit=limit
    )
    wanted = runs[152:] if sort_order == "asc" else runs[152:][::-1]
    end = None if limit is None else offset + limit
    assert found.total is None
    assert [run.id for run in found] == wanted[offset:end]
    is_whole = end is None or end >= len(wanted)
    assert found.more == (not is_whole)
    assert found.total == (len(wanted) if is_whole else None)
    # Neither the whole list nor the filter by completion.
    assert len(fake_api.requests) <= 3 * (2 if status else 1)
    assert "since" not in fake_api.requests[-1].query


def test_runs_since_a_time_are_listed_whether_they_have_ended_or_not(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.start(created_at=minutes(1))
    running = fake_api.start(created_at=minutes(2))
    ended = fake_api.start(created_at=minutes(3))
    fake_api.end(ended)
    assert {run.id for run in client.runs.list(since=minutes(2))} == {running, ended}


def test_runs_that_appear_in_the_list_late_do_not_end_it(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for number in range(300):
        fake_api.start(created_at=minutes(number))
    answer = fake_api.answer
    seconds_late = datetime(2026, 1, 1, 3, 59, 30, tzinfo=timezone.utc).isoformat()
    late = {**fake_api.runs[fake_api.start()], "created_at": seconds_late}
    fake_api.runs.pop(late["id"])

    def with_a_late_run(seen: ReceivedRequest) -> tuple[int, Any]:
        status, body = answer(seen)
        if seen.query["offset"] == "0":
            # Older than the requested time, among newer runs.
            body["data"].insert(10, late)
        return status, body

    fake_api.answer = with_a_late_run  # type: ignore[method-assign]
    listed = [run.id for run in client.runs.list(since=minutes(240))]
    assert listed == list(fake_api.runs)[:239:-1]


@pytest.mark.parametrize("status", [None, "stopped"])
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
@pytest.mark.parametrize("since", [None, 100])
@pytest.mark.parametrize("limit", [None, 30])
def test_runs_created_until_a_time_are_listed_in_any_order(
    fake_api: FakeAPI,
    client: duvo.Client,
    status: str | None,
    sort_order: Literal["asc", "desc"],
    since: int | None,
    limit: int | None,
) -> None:
    runs = [fake_api.start("interrupted", created_at=minutes(n)) for n in range(900)]
    begin = None if since is None else minutes(since)
    found = client.runs.list(
        status, since=begin, until=minutes(130), sort_order=sort_order, limit=limit
    )
    wanted = runs[since:131] if sort_order == "asc" else runs[since:131][::-1]
    assert [run.id for run in found] == wanted[:limit]
    assert found.more == (limit is not None and len(wanted) > limit)
    # Seven pages are newer; four halvings leave less than a page of them.
    assert len(fake_api.requests) <= 7 * (2 if status else 1)


@pytest.mark.seeds(quick=8, full=60)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_runs_between_two_times_are_listed_once_while_the_list_shifts(
    fake_api: FakeAPI, client: duvo.Client, sort_order: Literal["asc", "desc"], seed: int
) -> None:
    chance = random.Random(seed)
    runs = [fake_api.start(created_at=minutes(number)) for number in range(chance.randrange(800))]
    begin, end = (minutes(number) for number in sorted(chance.sample(range(800), 2)))
    since, until = chance.choice([None, begin]), chance.choice([None, end])
    stay = {
        run_id
        for run_id in runs
        if (since is None or fake_api.runs[run_id]["created_at"] >= since)
        and (until is None or fake_api.runs[run_id]["created_at"] <= until)
    }
    within = set(stay)

    def shift(seen: ReceivedRequest) -> None:
        if len(fake_api.requests) > 20:
            return
        for run_id in chance.sample(list(fake_api.runs), min(len(fake_api.runs), 40)):
            fake_api.runs[run_id]["status"] = "completed"
            stay.discard(run_id)
        for number in range(chance.choice([0, 5, 150])):
            fake_api.start(created_at=minutes(1000 + number))

    fake_api.before = shift
    found = client.runs.list("running", since=since, until=until, sort_order=sort_order)
    listed = [run.id for run in found if run.created_at and run.id in runs]
    assert stay <= set(listed) <= within
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("since", [None, 200])
@pytest.mark.parametrize("until", [None, 230])
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_a_server_that_ignores_the_order_does_not_hide_runs(
    fake_api: FakeAPI,
    client: duvo.Client,
    since: int | None,
    until: int | None,
    sort_order: Literal["asc", "desc"],
) -> None:
    runs = [fake_api.start(created_at=minutes(number)) for number in range(250)]
    other = "asc" if since is not None or sort_order == "desc" else "desc"
    fake_api.before = lambda seen: seen.query.update(sort_order=other)
    found = client.runs.list(
        since=None if since is None else minutes(since),
        until=None if until is None else minutes(until),
        sort_order=sort_order,
    )
    assert {run.id for run in found} == {*runs[since : None if until is None else until + 1]}


def test_runs_completed_between_two_times_are_listed(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.start()
    for number in range(5):
        fake_api.end(fake_api.start())
        list(fake_api.runs.values())[-1]["completed_at"] = minutes(number)
    found = client.runs.list(completed_since=minutes(1), completed_until=minutes(3))
    assert [run.completed_at for run in found] == [
        datetime(2026, 1, 1, 0, number, tzinfo=timezone.utc) for number in (3, 2, 1)
    ]
    assert found.total == 3


def test_a_waiting_run_of_a_list_has_no_loaded_request(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    run = next(client.runs.list())
    assert (run.status, run.agent_name, run.run_number) == ("waiting", "Invoice approver", 1)
    with pytest.raises(duvo.NotLoaded, match=r"\.refresh\(\)"):
        _ = run.pending_request
    assert run.refresh().pending_request is not None


def test_an_agent_is_found_by_its_exact_name_and_remembered(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.agents += [
        {"id": f"{n:08d}-0000-4000-8000-000000000000", "name": f"n{n}"} for n in range(130)
    ]
    client.runs.start("n129")
    client.runs.start("n129")
    assert fake_api.requests[-1].json["agent_id"].startswith("00000129")
    assert fake_api.count("GET", "/agents") == 2


def test_a_name_that_several_agents_share_lists_them(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.agents.append({"id": "another", "name": "Invoice approver"})
    with pytest.raises(duvo.AmbiguousAgent, match=f"{AGENT}, another") as caught:
        client.runs.start("Invoice approver")
    assert [agent.id for agent in caught.value.agents] == [AGENT, "another"]
    assert not [one for one in fake_api.requests if one.method == "POST"]


def test_an_unknown_name_of_an_agent_is_an_error_with_the_call_that_lists_agents(
    client: duvo.Client,
) -> None:
    with pytest.raises(duvo.NotFound, match=r"no agent is called 'Nobody'.*agents\.list"):
        client.runs.start("Nobody")


def test_an_agent_is_read_by_id_or_name(fake_api: FakeAPI, client: duvo.Client) -> None:
    assert client.agents.get(AGENT).name == "Invoice approver"
    assert client.agents.get("Invoice approver").id == AGENT


@pytest.mark.parametrize("count", [0, 1, 130])
def test_paginate_joins_all_pages_into_one_document(
    fake_api: FakeAPI, client: duvo.Client, count: int
) -> None:
    run_id = fake_api.start()
    for number in range(count):
        fake_api.say(run_id, str(number))
    whole = client.paginate(f"/v2/runs/{run_id}/messages")
    assert whole["total"] == count
    assert [one["text_content"] for one in whole["messages"]] == [str(n) for n in range(count)]


def test_paginate_begins_at_the_offset_of_the_path(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    for number in range(9):
        fake_api.say(run_id, str(number))
    whole = client.paginate(f"/v2/runs/{run_id}/messages?limit=3&offset=2&x=%C3%A4")
    assert [one["text_content"] for one in whole["messages"]] == [str(n) for n in range(2, 9)]
    assert {request.query["limit"] for request in fake_api.requests} == {"3"}
    assert {request.query["x"] for request in fake_api.requests} == {"ä"}
    sent = len(fake_api.requests)
    with pytest.raises(duvo.ConfigError, match="the limit is given twice"):
        client.paginate("/v2/teams/{teamId}/runs?limit=3", params={"limit": "5"})
    assert len(fake_api.requests) == sent


def test_paginate_returns_a_response_without_a_list_unchanged(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    assert client.paginate("/v2/teams")["teams"] == fake_api.teams


def test_client_request_fills_in_the_team(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.start()
    answer = client.request("get", "v2/teams/{teamId}/runs", params={"limit": "1"})
    assert answer.status == 200
    assert answer.data["total"] == 1
    with pytest.raises(duvo.ConfigError, match="path only"):
        client.request("GET", "https://elsewhere.example/v2/teams")


def test_whoami_returns_user_and_team(fake_api: FakeAPI, client: duvo.Client) -> None:
    me = client.whoami()
    assert me.profile.email == "ada@example.com"
    assert [team.name for team in me.teams] == ["Finance"]
    assert me.team_id == client.team_id


def test_runs_of_several_statuses_are_one_list_in_order_of_creation(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for number in range(250):
        fake_api.start(("failed", "interrupted", "running", "waiting")[number % 4])
    found = list(client.runs.list(status=["failed", "stopped", "waiting", "failed"]))
    wanted = [run_id for run_id, run in fake_api.runs.items() if run["status"] != "running"]
    assert [run.id for run in found] == wanted[::-1]
    assert [run.id for run in client.runs.list(status=["failed", "waiting"], limit=3)] == [
        run_id
        for run_id, run in list(fake_api.runs.items())[::-1]
        if run["status"] in ("failed", "waiting")
    ][:3]


def refuse(*words: str, from_offset: int = 0) -> Callable[[ReceivedRequest], Any]:
    """Return a hook with which the server refuses lists of these statuses."""

    def answer(seen: ReceivedRequest) -> Any:
        query = seen.query
        if query.get("status") in words and int(query["offset"]) >= from_offset:
            return 400, {"error": f"unknown status {query['status']}"}
        return None

    return answer


@pytest.mark.parametrize("statuses", [["bogus", "failed"], ["failed", "bogus"], ["bogus"]])
def test_a_status_that_the_server_refuses_is_an_error_even_beside_valid_ones(
    fake_api: FakeAPI, client: duvo.Client, statuses: list[str]
) -> None:
    fake_api.start("failed")
    fake_api.before = refuse("bogus")
    with pytest.raises(duvo.InvalidRequest, match="unknown status bogus"):
        list(client.runs.list(status=statuses))


@pytest.mark.parametrize("refused", ["interrupted", "stopped"])
def test_stopped_runs_are_listed_by_the_word_that_the_server_knows(
    fake_api: FakeAPI, client: duvo.Client, refused: str
) -> None:
    known = "stopped" if refused == "interrupted" else "interrupted"
    wanted = {fake_api.start(known), fake_api.start("failed")}
    fake_api.start("running")
    fake_api.before = refuse(refused)
    assert {run.id for run in client.runs.list(status=["stopped", "failed"])} == wanted


def test_stopped_runs_are_an_error_where_the_server_knows_neither_word(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    fake_api.start("failed")
    fake_api.before = refuse("stopped", "interrupted")
    for status in ("stopped", ["failed", "stopped"]):
        with pytest.raises(duvo.InvalidRequest, match="unknown status"):
            list(client.runs.list(status=status))


def test_a_list_of_several_statuses_raises_when_the_server_refuses_a_later_page(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    for _ in range(150):
        fake_api.start("failed")
        fake_api.start("interrupted")
    fake_api.before = refuse("interrupted", from_offset=50)
    with pytest.raises(duvo.InvalidRequest):
        list(client.runs.list(status=["failed", "stopped"]))
