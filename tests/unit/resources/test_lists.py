"""Lists of runs and agents: whole, lazy, filtered."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, Hosted


def test_a_list_reads_pages_only_as_they_are_wanted(hosted: Hosted, client: duvo.Client) -> None:
    for _ in range(250):
        hosted.start()
    runs = client.runs.list()
    assert hosted.requests == []
    next(runs)
    assert len(hosted.requests) == 1
    assert runs.total == 250
    assert len(list(runs)) == 249
    assert len(hosted.requests) == 3


def test_a_limit_cuts_the_list_and_says_so(hosted: Hosted, client: duvo.Client) -> None:
    for _ in range(5):
        hosted.start()
    cut = client.runs.list(limit=3)
    assert len(list(cut)) == 3
    assert cut.more
    whole = client.runs.list(limit=5)
    assert len(list(whole)) == 5
    assert not whole.more


def test_runs_that_start_while_a_list_is_read_repeat_none(
    hosted: Hosted, client: duvo.Client
) -> None:
    for _ in range(150):
        hosted.start()
    before = set(hosted.runs)
    pages = itertools.count()
    hosted.before = lambda seen: hosted.start() and None if next(pages) else None
    got = [run.id for run in client.runs.list()]
    assert len(got) == len(set(got))
    assert before <= set(got)


def test_filters_are_sent_as_the_api_wants_them(hosted: Hosted, client: duvo.Client) -> None:
    since = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    list(
        client.runs.list(
            status="running",
            agent="Invoice approver",
            since=since,
            has_issues=True,
            search="INV",
            sort_order="asc",
        )
    )
    query = hosted.requests[-1].query
    assert query == {
        "status": "running",
        "agent_id": AGENT,
        "since": "2026-01-01T12:00:00Z",
        "has_issues": "true",
        "search": "INV",
        "sort_order": "asc",
        "limit": "100",
        "offset": "0",
    }


@pytest.mark.parametrize("refused", [None, "stopped", "interrupted"])
def test_stopped_runs_are_found_by_whichever_word_the_server_has(
    hosted: Hosted, client: duvo.Client, refused: str | None
) -> None:
    word = "interrupted" if refused != "interrupted" else "stopped"
    stopped = [hosted.start(word) for _ in range(3)]
    hosted.start("running")

    def before(seen: Any) -> Any:
        if refused is not None and seen.query.get("status") == refused:
            return 400, {"error": "no such status"}
        return None

    hosted.before = before
    runs = client.runs.list(status="stopped")
    assert [run.id for run in runs] == stopped[::-1]
    assert runs.total == 3
    assert [run.id for run in client.runs.list(status="stopped", offset=1, limit=1)] == [stopped[1]]


def test_stopped_runs_that_both_words_find_are_counted_once(
    hosted: Hosted, client: duvo.Client
) -> None:
    stopped = [hosted.start("interrupted") for _ in range(3)]

    def either_word(seen: Any) -> Any:
        seen.query["status"] = "interrupted"

    hosted.before = either_word
    runs = client.runs.list(status="stopped")
    assert [run.id for run in runs] == stopped[::-1]
    assert runs.total == 3


def test_a_time_that_is_none_is_refused(client: duvo.Client) -> None:
    with pytest.raises(duvo.ConfigError, match="'yesterday' is not a time"):
        client.runs.list(since="yesterday")


def test_a_waiting_run_of_a_list_says_that_its_request_is_not_known(
    hosted: Hosted, client: duvo.Client
) -> None:
    run_id = hosted.start()
    hosted.ask(run_id)
    run = next(client.runs.list())
    assert (run.status, run.agent_name, run.run_number) == ("waiting", "Invoice approver", 1)
    with pytest.raises(duvo.NotLoaded, match=r"\.refresh\(\)"):
        _ = run.pending_request
    assert run.refresh().pending_request is not None


def test_an_agent_is_found_by_its_exact_name_once(hosted: Hosted, client: duvo.Client) -> None:
    hosted.agents += [
        {"id": f"{n:08d}-0000-4000-8000-000000000000", "name": f"n{n}"} for n in range(130)
    ]
    client.runs.start("n129")
    client.runs.start("n129")
    assert hosted.requests[-1].json["agent_id"].startswith("00000129")
    assert hosted.count("GET", "/agents") == 2


def test_a_name_that_several_agents_share_lists_them(hosted: Hosted, client: duvo.Client) -> None:
    hosted.agents.append({"id": "another", "name": "Invoice approver"})
    with pytest.raises(duvo.AmbiguousAgent, match=f"{AGENT}, another") as caught:
        client.runs.start("Invoice approver")
    assert [agent.id for agent in caught.value.agents] == [AGENT, "another"]
    assert not [one for one in hosted.requests if one.method == "POST"]


def test_an_unknown_name_says_where_to_look(client: duvo.Client) -> None:
    with pytest.raises(duvo.NotFound, match=r"no agent is called 'Nobody'.*agents list"):
        client.runs.start("Nobody")


def test_an_agent_is_read_by_id_or_name(hosted: Hosted, client: duvo.Client) -> None:
    assert client.agents.get(AGENT).name == "Invoice approver"
    assert client.agents.get("Invoice approver").id == AGENT


@pytest.mark.parametrize("count", [0, 1, 130])
def test_paginate_joins_all_pages_into_one_document(
    hosted: Hosted, client: duvo.Client, count: int
) -> None:
    run_id = hosted.start()
    for number in range(count):
        hosted.say(run_id, str(number))
    whole = client.paginate(f"/v2/runs/{run_id}/messages")
    assert whole["total"] == count
    assert [one["text_content"] for one in whole["messages"]] == [str(n) for n in range(count)]


def test_paginate_gives_an_answer_that_is_no_list_as_it_is(
    hosted: Hosted, client: duvo.Client
) -> None:
    assert client.paginate("/v2/teams")["teams"] == hosted.teams


def test_a_request_of_any_kind_knows_the_team(hosted: Hosted, client: duvo.Client) -> None:
    hosted.start()
    answer = client.request("get", "v2/teams/{teamId}/runs", params={"limit": "1"})
    assert answer.status == 200
    assert answer.data["total"] == 1
    with pytest.raises(duvo.ConfigError, match="path only"):
        client.request("GET", "https://elsewhere.example/v2/teams")


def test_whoami_tells_person_and_team(hosted: Hosted, client: duvo.Client) -> None:
    me = client.whoami()
    assert me.profile.email == "ada@example.com"
    assert [team.name for team in me.teams] == ["Finance"]
    assert me.team_id == client.team_id
