"""Showing, listing, answering and stopping runs; agents; `duvo api`."""

from __future__ import annotations

import json

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, Hosted
from tests.support.command import Command, wait_for


def sent(hosted: Hosted, ending: str) -> list[object]:
    return [seen.json for seen in hosted.requests if seen.path.endswith(ending)]


def ask_questions(hosted: Hosted, run_id: str) -> str:
    return hosted.ask(
        run_id,
        type="question",
        title="Two things",
        questions=[
            {"question": "Is a=b?", "header": "Equal"},
            {"question": "-1", "options": [{"label": "x"}]},
        ],
    )


def test_get_shows_the_run_and_its_pending_request(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    hosted.ask(run_id, description="Total 12\x1b[31m")
    done = run_duvo_hosted("runs", "get", run_id, TZ="Asia/Tokyo")
    assert f"Run       {run_id}" in done.stdout
    assert "Status    waiting" in done.stdout
    assert "Created   2026-01-01 09:00:00" in done.stdout
    assert "Post INV-1042?" in done.stdout
    assert f"approve: duvo runs respond {run_id} --approve" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_json_can_be_given_anywhere(place: str, hosted: Hosted, run_duvo_hosted: Command) -> None:
    run_id = hosted.start("interrupted")
    words = {
        "before": ["--json", "runs", "get", run_id],
        "between": ["runs", "--json", "get", run_id],
        "after": ["runs", "get", run_id, "--json"],
    }[place]
    document = json.loads(run_duvo_hosted(*words).stdout)
    assert document == {"run": {**hosted.runs[run_id], "status": "stopped"}}


def test_common_options_can_precede_the_command(hosted: Hosted, run_duvo_alone: Command) -> None:
    run_duvo_alone("profiles", "add", "work", "--base-url", hosted.base_url, input=KEY)
    before = run_duvo_alone("--profile", "work", "--timeout=5", "runs", "--team", TEAM, "list")
    after = run_duvo_alone("runs", "list", "--profile=work", "--timeout", "5", "--team", TEAM)
    assert before.stdout == after.stdout == "no runs\n"


def test_runs_are_listed_as_a_table(hosted: Hosted, run_duvo_hosted: Command) -> None:
    run_id = hosted.start("waiting")
    done = run_duvo_hosted("runs", "list", TZ="UTC")
    head, line = done.stdout.splitlines()
    assert head.split() == ["ID", "STATUS", "AGENT", "CREATED", "TITLE"]
    assert line.startswith(f"{run_id}  waiting  Invoice approver  2026-01-01 00:00:00  Process")
    assert head.index("TITLE") == line.index("Process")


def test_a_limited_list_says_that_there_is_more(hosted: Hosted, run_duvo_hosted: Command) -> None:
    for _ in range(45):
        hosted.start("running")
    by_default = run_duvo_hosted("runs", "list", "--json")
    cut = run_duvo_hosted("runs", "list", "--json", "--limit", "2")
    whole = run_duvo_hosted("runs", "list", "--json", "--all")
    assert len(json.loads(by_default.stdout)["data"]) == 30
    assert "showing 30 of 45; use --all or a larger --limit for more" in by_default.stderr
    assert len(json.loads(cut.stdout)["data"]) == 2
    assert "showing 2 of 45" in cut.stderr
    assert len(json.loads(whole.stdout)["data"]) == 45
    assert whole.stderr == ""


def test_all_filters_of_a_list_are_sent(hosted: Hosted, run_duvo_hosted: Command) -> None:
    filters = (
        f"--status failed --agent {AGENT} --since 2026-01-02T03:04:05Z --user u --case-queue q "
        "--source api --search x --no-issues --issue-severity low --sort asc --offset 3 --limit 7"
    )
    run_duvo_hosted("runs", "list", *filters.split())
    query = hosted.requests[-1].query
    assert query == {
        "status": "failed",
        "agent_id": AGENT,
        "since": "2026-01-02T03:04:05Z",
        "user_id": "u",
        "case_queue_id": "q",
        "source": "api",
        "search": "x",
        "has_issues": "false",
        "issue_severity": "low",
        "sort_order": "asc",
        "offset": "3",
        "limit": "8",
    }


def test_respond_takes_the_request_before_or_after_the_reply(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    for order in (
        lambda request: [run_id, request, "--approve"],
        lambda request: [run_id, "--approve", request],
        lambda request: ["--approve", run_id, request],
        lambda request: ["--approve", run_id],
    ):
        request_id = hosted.ask(run_id)
        done = run_duvo_hosted("runs", "respond", *order(request_id))
        assert (done.stdout, done.returncode) == ("approved: Post INV-1042?\n", 0), done.stderr
    assert sent(hosted, "/respond") == [{"approved": True}] * 4


def test_respond_answers_questions_with_any_characters_in_their_keys(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    ask_questions(hosted, run_id)
    done = run_duvo_hosted(
        "runs", "respond", run_id, "--answer", "Is a=b?=yes=no", "--answer", "-1=x"
    )
    assert done.returncode == 0, done.stderr
    assert sent(hosted, "/respond") == [{"answers": {"Is a=b?": "yes=no", "-1": "x"}}]


def test_a_reply_that_does_not_fit_is_not_sent_and_the_pending_request_is_shown(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    nothing = run_duvo_hosted("runs", "respond", run_id, "--approve")
    ask_questions(hosted, run_id)
    for wrong in (["--approve"], ["--answer", "Equal=x"], ["--answer", "Other=x"]):
        done = run_duvo_hosted("runs", "respond", run_id, *wrong)
        assert done.returncode == 1
        assert "Equal" in done.stderr
        assert "nothing was sent" in done.stderr
    assert nothing.returncode == 1
    assert "has no pending request" in nothing.stderr
    assert hosted.count("POST", "/respond") == 0


def test_stop_asks_for_no_confirmation_without_a_terminal(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    done = run_duvo_hosted("runs", "stop", run_id)
    assert (done.stdout, done.returncode) == (f"run {run_id} stopped\n", 0)
    again = run_duvo_hosted("runs", "stop", run_id, "--json")
    assert json.loads(again.stdout)["run"]["status"] == "stopped"
    ended = hosted.start("completed")
    over = run_duvo_hosted("runs", "stop", ended)
    assert (over.stdout, over.returncode) == (f"run {ended} had already completed\n", 0)


def test_a_run_that_continues_after_a_stop_is_an_error(
    hosted: Hosted, run_duvo_hosted: Command
) -> None:
    run_id = hosted.start()
    hosted.before = lambda seen: (
        (200, {"success": False, "message": "busy"}) if seen.path.endswith("/stop") else None
    )
    done = run_duvo_hosted("runs", "stop", run_id)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "busy" in done.stderr


def test_a_message_resumes_a_completed_run(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = dev_client.runs.start("Talker", "one").wait()
    done = run_duvo("runs", "send-message", run.id, "--message", "two", "--json")
    assert json.loads(done.stdout)["message"]["content"] == "two"
    wait_for(lambda: "You said: two" in run_duvo("runs", "messages", run.id, "--follow").stdout)


def test_agents_are_listed_and_shown_by_name(hosted: Hosted, run_duvo_hosted: Command) -> None:
    listed = run_duvo_hosted("agents", "list")
    shown = run_duvo_hosted("agents", "get", "Invoice approver")
    as_json = json.loads(run_duvo_hosted("agents", "list", "--json").stdout)
    assert listed.stdout.splitlines()[1] == f"{AGENT}  Invoice approver"
    assert f"duvo runs start --agent {AGENT} --follow" in shown.stdout
    assert [as_json["total"], as_json["agents"][0]["id"]] == [1, AGENT]


def test_whoami_shows_user_team_and_server(hosted: Hosted, run_duvo_hosted: Command) -> None:
    done = run_duvo_hosted("whoami")
    document = json.loads(run_duvo_hosted("whoami", "--json").stdout)
    assert "Ada <ada@example.com>" in done.stdout
    assert f"{TEAM} Finance" in done.stdout
    assert hosted.base_url in done.stdout
    assert [document["team_id"], document["base_url"]] == [TEAM, hosted.base_url]


def test_api_prints_the_response_byte_for_byte(hosted: Hosted, run_duvo_hosted: Command) -> None:
    body = '{"b" :  "\\u017elu\u0165", "a": 1.0}\n\n'.encode()
    hosted.before = lambda seen: (200, body)
    done = run_duvo_hosted("api", "get", "/v2/anything")
    assert done.stdout.encode() == body


def test_api_prints_error_responses_too(hosted: Hosted, run_duvo_hosted: Command) -> None:
    hosted.before = lambda seen: (403, {"error": "forbidden", "message": "not for this key"})
    done = run_duvo_hosted("api", "GET", "/v2/teams")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"error": "forbidden", "message": "not for this key"}
    assert "403" in done.stderr


def test_api_makes_query_and_body_from_fields(hosted: Hosted, run_duvo_hosted: Command) -> None:
    hosted.before = lambda seen: (200, {})
    fields = ("-f", "a=1=2", "-F", "b=3", "-F", "c=true", "-F", "d=null", "-F", "e=1.5")
    more = ("-f", "x[]=1", "-F", "x[]=2", "-F", "word=NaN")
    run_duvo_hosted("api", "POST", "/v2/x", *fields, *more)
    run_duvo_hosted("api", "GET", "/v2/teams/{teamId}/x", "-f", "x[]=1", "-f", "x[]=2", "-F", "b=3")
    run_duvo_hosted("api", "PUT", "/v2/x", "--input", "-", "-f", "q=1", input='{"whole": []}')
    posted, got, put = hosted.requests
    assert posted.json == {
        "a": "1=2",
        "b": 3,
        "c": True,
        "d": None,
        "e": 1.5,
        "x": ["1", 2],
        "word": "NaN",
    }
    assert got.target == f"/v2/teams/{TEAM}/x?x=1&x=2&b=3"
    assert put.json == {"whole": []}
    assert put.query == {"q": "1"}


@pytest.mark.parametrize("count", [0, 1, 120])
def test_api_joins_pages_into_one_document(
    count: int, hosted: Hosted, run_duvo_hosted: Command
) -> None:
    for _ in range(count):
        hosted.start()
    done = run_duvo_hosted("api", "GET", f"/v2/teams/{TEAM}/runs", "--paginate")
    document = json.loads(done.stdout)
    assert document["total"] == count
    assert len({run["id"] for run in document["data"]}) == count


def test_invalid_json_as_api_input_is_one_line(run_duvo_hosted: Command) -> None:
    done = run_duvo_hosted("api", "POST", "/v2/x", "--input", "-", input="{")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: stdin is not JSON")


def test_api_input_that_is_nested_too_deeply_is_one_line(run_duvo_hosted: Command) -> None:
    done = run_duvo_hosted("api", "POST", "/v2/x", "--input", "-", input="[" * 100_000)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
