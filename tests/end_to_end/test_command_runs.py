"""Showing, listing, answering and stopping runs; agents; `duvo api`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def sent(fake_api: FakeAPI, ending: str) -> list[object]:
    return [seen.json for seen in fake_api.requests if seen.path.endswith(ending)]


def ask_questions(fake_api: FakeAPI, run_id: str) -> str:
    return fake_api.ask(
        run_id,
        type="question",
        title="Two things",
        questions=[
            {"question": "Is a=b?", "header": "Equal"},
            {"question": "-1", "options": [{"label": "x"}]},
        ],
    )


def test_get_shows_the_run_and_its_pending_request(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id, description="Total 12\x1b[31m")
    done = run_duvo_with_fake_api("runs", "get", run_id, TZ="Asia/Tokyo")
    assert f"Run       {run_id}" in done.stdout
    assert "Status    waiting" in done.stdout
    assert "Created   2026-01-01 09:00:00" in done.stdout
    assert "Post INV-1042?" in done.stdout
    assert f"approve: duvo runs respond {run_id} --approve" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_json_can_be_given_anywhere(
    place: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start("interrupted")
    words = {
        "before": ["--json", "runs", "get", run_id],
        "between": ["runs", "--json", "get", run_id],
        "after": ["runs", "get", run_id, "--json"],
    }[place]
    document = json.loads(run_duvo_with_fake_api(*words).stdout)
    assert document == {"run": {**fake_api.runs[run_id], "status": "stopped"}}


@pytest.mark.long
def test_common_options_can_precede_the_command(
    fake_api: FakeAPI, run_duvo_unconfigured: Command
) -> None:
    run_duvo_unconfigured("profiles", "add", "work", "--base-url", fake_api.base_url, input=KEY)
    before = run_duvo_unconfigured(
        "--profile", "work", "--timeout=5", "runs", "--team", TEAM, "list"
    )
    after = run_duvo_unconfigured(
        "runs", "list", "--profile=work", "--timeout", "5", "--team", TEAM
    )
    assert before.stdout == after.stdout == ""
    assert before.stderr == after.stderr == "duvo: no runs\n"


def test_runs_are_listed_for_other_programs_where_stdout_is_not_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start("waiting", title="Two\tcolumns\nor one")
    done = run_duvo_with_fake_api("runs", "list", TZ="Asia/Tokyo")
    (line,) = done.stdout.splitlines()
    created = fake_api.runs[run_id]["created_at"]
    cells = [run_id, "waiting", "Invoice approver", "Two columns or one", created, ""]
    assert line.split("\t") == cells


def test_runs_are_listed_at_a_glance_in_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    long_title = "Process the invoices of the last quarter, each with its supplier " * 3
    run_id = fake_api.start("waiting", title=long_title)
    same = fake_api.start("completed", title="Invoice approver")
    command = [DUVO, "runs", "list"]
    environment = run_duvo_with_fake_api.environment
    with PseudoTerminal(command, environment, columns=90) as tty:
        assert tty.end() == 0
        head, first, second = (re.sub(r"\x1b\[\d*m", "", line) for line in tty.seen.splitlines())
    assert head.split() == ["STATUS", "AGENT", "TITLE", "AGE", "TOOK", "RUN"]
    assert first.split() == [
        "✓",
        "completed",
        "Invoice",
        "approver",
        *first.split()[4:-1],
        same[:8],
    ]
    assert second.startswith("? waiting    Invoice approver  Process the inv")
    assert second.endswith(run_id[:8])
    assert len(second) <= 90
    with PseudoTerminal([*command, "--wide"], environment, columns=90) as tty:
        assert tty.end() == 0
        assert long_title.strip() in tty.seen
        assert run_id in tty.seen


def test_get_shows_the_answer_or_the_failure_of_a_run(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "INV-1042 is posted.\nThank you")
    fake_api.end(run_id)
    done = run_duvo_with_fake_api("runs", "get", run_id)
    assert done.stdout.endswith("\nAnswer:\n  INV-1042 is posted.\n  Thank you\n")
    assert "Invoice approver" in done.stdout
    assert len(fake_api.requests) <= 3
    fake_api.requests.clear()
    run_duvo_with_fake_api("runs", "get", run_id, "--json")
    assert len(fake_api.requests) == 1


def test_a_limited_list_says_that_there_is_more(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    for _ in range(45):
        fake_api.start("running")
    by_default = run_duvo_with_fake_api("runs", "list", "--json")
    cut = run_duvo_with_fake_api("runs", "list", "--json", "--limit", "2")
    whole = run_duvo_with_fake_api("runs", "list", "--json", "--all")
    assert len(json.loads(by_default.stdout)["data"]) == 30
    assert "showing 30 of 45; use --all or a larger --limit for more" in by_default.stderr
    assert len(json.loads(cut.stdout)["data"]) == 2
    assert "showing 2 of 45" in cut.stderr
    assert len(json.loads(whole.stdout)["data"]) == 45
    assert whole.stderr == ""


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("runs list -q --limit 1", 1),
        ("agents list -q --limit 1", 1),
        ("runs list -q --status failed", 0),
    ],
)
def test_a_list_of_ids_alone_says_nothing_else(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, command: str, count: int
) -> None:
    fake_api.agents.append({"id": "22222222-2222-4222-8222-222222222222", "name": "Greeter"})
    fake_api.start()
    fake_api.start()
    done = run_duvo_with_fake_api(*command.split())
    assert (len(done.stdout.split()), done.stderr, done.returncode) == (count, "", 0)


def test_all_filters_of_a_list_are_sent(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    filters = (
        f"--status failed --agent {AGENT} --completed-since 2026-01-02T03:04:05Z "
        "--completed-until 2026-02-01 --user u --case-queue q --source api --search x "
        "--no-issues --issue-severity low --sort asc --offset 3 --limit 7"
    )
    run_duvo_with_fake_api("runs", "list", *filters.split(), TZ="Asia/Tokyo")
    query = fake_api.requests[-1].query
    assert query == {
        "status": "failed",
        "agent_id": AGENT,
        "since": "2026-01-02T03:04:05Z",
        "until": "2026-01-31T15:00:00Z",
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


@pytest.mark.long
def test_runs_created_since_a_time_are_listed_in_any_state_by_the_local_clock(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.start(created_at="2025-12-31T14:59:59Z")
    runs = [fake_api.start(created_at=f"2025-12-31T15:00:0{number}Z") for number in range(3)]
    fake_api.end(runs[1])

    def listed(*options: str) -> tuple[list[str], int | None]:
        given = ("--since", "2026-01-01", "--json", *options)
        document = json.loads(
            run_duvo_with_fake_api("runs", "list", *given, TZ="Asia/Tokyo").stdout
        )
        return [run["id"] for run in document["data"]], document["total"]

    assert listed() == (runs[::-1], 3)
    assert listed("--sort", "asc", "--limit", "2") == (runs[:2], None)
    assert listed("--until", "2026-01-01T00:00:01") == (runs[1::-1], 2)
    assert "since" not in fake_api.requests[-1].query


def test_respond_takes_the_request_before_or_after_the_reply(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    for order in (
        lambda request: [run_id, request, "--approve"],
        lambda request: [run_id, "--approve", request],
        lambda request: ["--approve", run_id, request],
        lambda request: ["--approve", run_id],
    ):
        request_id = fake_api.ask(run_id)
        done = run_duvo_with_fake_api("runs", "respond", *order(request_id))
        assert (done.stdout, done.returncode) == ("approved: Post INV-1042?\n", 0), done.stderr
    assert sent(fake_api, "/respond") == [{"approved": True}] * 4


def test_respond_answers_questions_with_any_characters_in_their_keys(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    ask_questions(fake_api, run_id)
    done = run_duvo_with_fake_api(
        "runs", "respond", run_id, "--answer", "Is a=b?=yes=no", "--answer", "-1=x"
    )
    assert done.returncode == 0, done.stderr
    assert sent(fake_api, "/respond") == [{"answers": {"Is a=b?": "yes=no", "-1": "x"}}]


@pytest.mark.long
def test_a_reply_that_does_not_fit_is_not_sent_and_the_pending_request_is_shown(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    nothing = run_duvo_with_fake_api("runs", "respond", run_id, "--approve")
    ask_questions(fake_api, run_id)
    for wrong in (["--approve"], ["--answer", "Equal=x"], ["--answer", "Other=x"]):
        done = run_duvo_with_fake_api("runs", "respond", run_id, *wrong)
        assert done.returncode == 1
        assert "Equal" in done.stderr
        assert "nothing was sent" in done.stderr
    assert nothing.returncode == 1
    assert "has no pending request" in nothing.stderr
    assert fake_api.count("POST", "/respond") == 0


def test_stop_asks_for_no_confirmation_without_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    done = run_duvo_with_fake_api("runs", "stop", run_id)
    assert (done.stdout, done.returncode) == (f"run {run_id} stopped\n", 0)
    again = run_duvo_with_fake_api("runs", "stop", run_id, "--json")
    assert json.loads(again.stdout)["run"]["status"] == "stopped"
    ended = fake_api.start("completed")
    over = run_duvo_with_fake_api("runs", "stop", ended)
    assert (over.stdout, over.returncode) == (f"run {ended} had already completed\n", 0)


def test_a_run_that_continues_after_a_stop_is_an_error(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (
        (200, {"success": False, "message": "busy"}) if seen.path.endswith("/stop") else None
    )
    done = run_duvo_with_fake_api("runs", "stop", run_id)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "busy" in done.stderr


def test_a_message_resumes_a_completed_run(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = dev_client.runs.start("Talker", "one").wait()
    done = run_duvo("runs", "send-message", run.id, "--message", "two", "--json")
    assert json.loads(done.stdout)["message"]["content"] == "two"
    wait_for(lambda: "You said: two" in run_duvo("runs", "messages", run.id, "--follow").stdout)


def test_runs_of_the_engine_are_listed_by_creation_or_by_completion(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    done = dev_client.runs.start("Talker", "one").wait()
    working = dev_client.runs.start("Endless worker", "work")

    def listed(option: str) -> list[str]:
        answer = run_duvo("runs", "list", option, "5m", "--all", "--json")
        return [run["id"] for run in json.loads(answer.stdout)["data"]]

    created, completed = listed("--since"), listed("--completed-since")
    working.stop()
    assert created[:2] == [working.id, done.id]
    assert done.id in completed
    assert working.id not in completed


def test_agents_are_listed_and_shown_by_name(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    listed = run_duvo_with_fake_api("agents", "list")
    shown = run_duvo_with_fake_api("agents", "get", "Invoice approver")
    as_json = json.loads(run_duvo_with_fake_api("agents", "list", "--json").stdout)
    assert listed.stdout.splitlines()[0].split("\t")[:2] == [AGENT, "Invoice approver"]
    assert f"duvo runs start --agent {AGENT} --follow" in shown.stdout
    assert [as_json["total"], as_json["agents"][0]["id"]] == [1, AGENT]


def test_whoami_shows_user_team_and_server(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done = run_duvo_with_fake_api("whoami")
    document = json.loads(run_duvo_with_fake_api("whoami", "--json").stdout)
    assert "Ada <ada@example.com>" in done.stdout
    assert f"{TEAM} Finance" in done.stdout
    assert fake_api.base_url in done.stdout
    assert [document["team_id"], document["base_url"]] == [TEAM, fake_api.base_url]


def test_api_prints_the_response_byte_for_byte(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    body = '{"b" :  "\\u017elu\u0165", "a": 1.0}\n\n'.encode()
    fake_api.before = lambda seen: (200, body)
    done = run_duvo_with_fake_api("api", "get", "/v2/anything")
    assert done.stdout.encode() == body


def test_api_prints_error_responses_too(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    fake_api.before = lambda seen: (403, {"error": "forbidden", "message": "not for this key"})
    done = run_duvo_with_fake_api("api", "GET", "/v2/teams")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"error": "forbidden", "message": "not for this key"}
    assert "403" in done.stderr
    filtered = run_duvo_with_fake_api("api", "GET", "/v2/teams", "--jq", ".data | length")
    assert (filtered.stdout, filtered.returncode) == (done.stdout, 1)
    headed = run_duvo_with_fake_api("api", "GET", "/v2/teams", "-i")
    head, body = headed.stdout.split("\n\n", 1)
    assert head.splitlines()[0] == "HTTP 403"
    assert "x-request-id: req-" in head.lower()
    assert body == done.stdout


def test_the_method_of_api_may_be_left_out(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.before = lambda seen: (200, {"data": [], "total": 0, "limit": 50, "offset": 0})
    run_duvo_with_fake_api("api", "/v2/x")
    run_duvo_with_fake_api("api", "/v2/x", "-f", "a=1")
    run_duvo_with_fake_api("api", "--input", "-", "/v2/x", input="{}")
    run_duvo_with_fake_api("api", "/v2/x", "-f", "a=1", "--paginate")
    methods = [seen.method for seen in fake_api.requests]
    assert methods == ["GET", "POST", "POST", "GET"]
    done = run_duvo_with_fake_api("api", "get")
    assert done.stderr == "duvo: give PATH; see `duvo api --help`\n"


def test_api_makes_query_and_body_from_fields(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.before = lambda seen: (200, {})
    fields = ("-f", "a=1=2", "-F", "b=3", "-F", "c=true", "-F", "d=null", "-F", "e=1.5")
    more = ("-f", "x[]=1", "-F", "x[]=2", "-F", "word=NaN")
    run_duvo_with_fake_api("api", "POST", "/v2/x", *fields, *more)
    run_duvo_with_fake_api(
        "api", "GET", "/v2/teams/{teamId}/x", "-f", "x[]=1", "-f", "x[]=2", "-F", "b=3"
    )
    run_duvo_with_fake_api(
        "api", "PUT", "/v2/x", "--input", "-", "-f", "q=1", input='{"whole": []}'
    )
    posted, got, put = fake_api.requests
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


@pytest.mark.parametrize(
    "body", ['{"amount": 12345678901234567.89,\n "rate": 0.10}', "null", "1E2"]
)
def test_api_sends_its_input_as_it_is(
    body: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.before = lambda seen: (200, {})
    run_duvo_with_fake_api("api", "POST", "/v2/x", "--input", "-", input=body)
    (seen,) = fake_api.requests
    assert seen.body.decode() == body
    assert seen.headers["content-type"] == "application/json"


def test_numbers_of_api_fields_keep_their_digits(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.before = lambda seen: (200, {})
    words = ("-F", "a=12345678901234567.89", "-F", "b=0.10", "-F", "c=-")
    run_duvo_with_fake_api("api", "POST", "/v2/x", *words, input="[1.0, 2.50]")
    run_duvo_with_fake_api("api", "GET", "/v2/x", *words, input="[1.0, 2.50]")
    posted, got = fake_api.requests
    assert posted.body.decode() == '{"a": 12345678901234567.89, "b": 0.10, "c": [1.0, 2.50]}'
    assert got.query == {"a": "12345678901234567.89", "b": "0.10", "c": "[1.0, 2.50]"}


@pytest.mark.parametrize("count", [0, 1, 120])
def test_api_joins_pages_into_one_document(
    count: int, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    for _ in range(count):
        fake_api.start()
    done = run_duvo_with_fake_api("api", "GET", f"/v2/teams/{TEAM}/runs", "--paginate")
    document = json.loads(done.stdout)
    assert document["total"] == count
    assert len({run["id"] for run in document["data"]}) == count


def test_texts_of_fields_and_templates_come_from_files_and_stdin(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    text, rows = tmp_path / "text.txt", tmp_path / "rows.csv"
    text.write_bytes("\ufeffHello {n}".encode())
    rows.write_text("n\n1\n")
    words = ["api", "POST", "/v2/x", "-f", f"a=@{text}", "-f", "b=@@b"]
    run_duvo_with_fake_api(*words, "-F", "c=-", input="[1.5]")
    (seen,) = fake_api.requests
    assert seen.json == {"a": "Hello {n}", "b": "@b", "c": [1.5]}
    twice = run_duvo_with_fake_api("api", "POST", "/v2/x", "-f", "a=-", "-F", "c=-", input="1")
    assert (twice.stdout, twice.returncode) == ("", 1)
    assert twice.stderr == "duvo: stdin is read only once: only one argument may be -\n"
    many = ("runs", "start-many", "--agent", "A", "--input", str(rows), "--dry-run")
    for template in ("-", f"@{text}"):
        done = run_duvo_with_fake_api(*many, "--message-template", template, input="Hello {n}")
        assert done.stdout == "0: Hello 1\n"


def test_api_refuses_a_field_that_is_given_twice(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    for words in (
        "GET /v2/x -f a=1 -f a=1",
        "POST /v2/x -f a=1 -F a[]=2",
        "GET /v2/x?b=1&a=1 -f a=2",
        "GET /v2/x?a=1&a=2 -f a[]=2 --paginate",
    ):
        done = run_duvo_with_fake_api("api", *words.split())
        assert (done.stdout, done.returncode) == ("", 1)
        assert done.stderr.startswith("duvo: the field 'a' is given twice; a[] collects an array;")
    assert fake_api.requests == []


def test_invalid_json_as_api_input_is_one_line(run_duvo_with_fake_api: Command) -> None:
    done = run_duvo_with_fake_api("api", "POST", "/v2/x", "--input", "-", input="{")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: stdin is not JSON")
    missing = run_duvo_with_fake_api("api", "POST", "/v2/x", "--input", "/nofile")
    assert missing.stderr == "duvo: cannot read '/nofile': No such file or directory\n"


def test_a_limit_of_none_is_one_line(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    fake_api.start()
    done = run_duvo_with_fake_api("runs", "list", "--limit", "0")
    assert done.stderr == "duvo: showing 0; use --all or a larger --limit for more\n"
    done = run_duvo_with_fake_api("agents", "list", "--limit", "0")
    assert done.stderr == "duvo: showing 0; use a larger --limit, or none, for more\n"


def test_api_input_that_is_nested_too_deeply_is_one_line(run_duvo_with_fake_api: Command) -> None:
    done = run_duvo_with_fake_api("api", "POST", "/v2/x", "--input", "-", input="[" * 100_000)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_the_first_characters_of_a_runs_id_will_do(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    for number in (1, 2):
        fake_api.start(run_id=f"aaaa{number}aaa-3333-4333-8333-333333333333")
    for arguments in (["get"], ["messages"], ["stop"], ["send-message", "--message", "Hi"]):
        done = run_duvo_with_fake_api("runs", *arguments, "aaaa1")
        assert done.returncode == 0, done.stderr
    several = run_duvo_with_fake_api("runs", "get", "aaaa")
    assert several.returncode == 1
    (line,) = several.stderr.splitlines()
    assert line.startswith("duvo: 2 runs begin with 'aaaa'")
    assert "aaaa1aaa-" in line
    assert "aaaa2aaa-" in line


def test_get_of_a_run_that_cannot_be_read_says_why(run_duvo_unconfigured: Command) -> None:
    run_id = "33333333-3333-4333-8333-333333333333"
    settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": "http://127.0.0.1:9"}
    for arguments in ([run_id], [run_id, "--json"]):
        done = run_duvo_unconfigured("runs", "get", *arguments, **settings)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "nothing listens at 127.0.0.1:9" in line
