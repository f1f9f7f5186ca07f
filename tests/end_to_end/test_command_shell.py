"""What shells and scripts use: ids alone, jq, several runs at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.fake_api import FakeAPI
from tests.support.command import Command


@pytest.mark.long
def test_quiet_prints_ids_alone(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    started = run_duvo_with_fake_api("runs", "start", "--agent", "Invoice approver", "-q")
    assert (started.stdout, started.stderr) == (f"{next(iter(fake_api.runs))}\n", "")
    fake_api.start()
    listed = run_duvo_with_fake_api("runs", "list", "-q")
    assert listed.stdout.splitlines() == list(fake_api.runs)[::-1]
    agents = run_duvo_with_fake_api("agents", "list", "--quiet")
    assert agents.stdout.splitlines() == [agent["id"] for agent in fake_api.agents]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["runs", "list", "--jq", ".data[].status"], "running\nrunning\n"),
        (["runs", "list", "--jq", "{total, n: (.data | length)}"], '{"total": 2, "n": 2}\n'),
        (["runs", "list", "--jq=.total"], "2\n"),
        (["runs", "list", "--jq", "empty"], ""),
        (["api", "GET", "/v2/teams", "--jq", ".teams | length"], "1\n"),
    ],
)
def test_jq_implies_json_and_prints_its_output(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, arguments: list[str], printed: str
) -> None:
    for _ in range(2):
        fake_api.start()
    done = run_duvo_with_fake_api(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


def test_jq_works_on_each_line_of_json(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    run_ids = [fake_api.start("completed") for _ in range(2)]
    done = run_duvo_with_fake_api("runs", "get", *run_ids, "--jq", ".run.id")
    assert done.stdout.splitlines() == run_ids


def test_a_jq_expression_that_is_wrong_is_one_line_and_nothing_is_sent(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done = run_duvo_with_fake_api("runs", "start", "--agent", "x", "--jq", ".run[")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("duvo: --jq: not a jq expression")
    assert fake_api.requests == []
    failing = run_duvo_with_fake_api("runs", "list", "--jq", '"x" | .y')
    assert (failing.returncode, len(failing.stderr.splitlines())) == (1, 1)
    without = run_duvo_with_fake_api("runs", "list", "--jq", "input")
    assert without.stderr.startswith("duvo: --jq: each document is filtered by itself")


def test_without_the_package_jq_one_line_says_how_to_install_it(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    (tmp_path / "jq.py").write_text("raise ImportError")
    done = run_duvo_with_fake_api("runs", "list", "--jq", ".", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (
        1,
        "duvo: --jq needs the package jq; install it: pip install 'duvo[jq]'\n",
    )


@pytest.mark.long
def test_several_runs_are_shown_waited_for_and_stopped(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done, failed, stopped = (
        fake_api.start(status) for status in ("completed", "failed", "interrupted")
    )
    shown = run_duvo_with_fake_api("runs", "get", done, failed, done, "--json")
    assert [json.loads(line)["run"]["id"] for line in shown.stdout.splitlines()] == [done, failed]
    waited = run_duvo_with_fake_api("runs", "wait", done, stopped, failed, "--json")
    documents = [json.loads(line) for line in waited.stdout.splitlines()]
    assert sorted(one["run"]["id"] for one in documents) == sorted([done, stopped, failed])
    assert {"run", "answer", "failure"} <= set(documents[0])
    assert waited.returncode == 4
    assert run_duvo_with_fake_api("runs", "wait", done, stopped).returncode == 5
    assert run_duvo_with_fake_api("runs", "wait", done, done).returncode == 0
    running = fake_api.start()
    ended = run_duvo_with_fake_api("runs", "stop", running, done, "--json")
    assert [json.loads(line)["success"] for line in ended.stdout.splitlines()] == [True, False]


@pytest.mark.long
def test_of_several_runs_those_that_can_be_shown_are(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start("completed")
    nobody = "33333333-3333-4333-8333-333333333333"
    shown = run_duvo_with_fake_api("runs", "get", nobody, run_id)
    assert shown.returncode == 3
    assert run_id in shown.stdout
    (line,) = shown.stderr.splitlines()
    assert nobody in line


def test_the_exit_code_is_3_if_all_that_failed_was_not_found(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    one = fake_api.start("completed", run_id="aaaa1111-3333-4333-8333-333333333333")
    fake_api.start("completed", run_id="aaaa2222-3333-4333-8333-333333333333")
    nobody, ambiguous = "33333333-3333-4333-8333-333333333333", "aaaa"
    codes = {(nobody,): 3, (nobody, one): 3, (nobody, ambiguous): 1, (ambiguous, one): 1}
    for run_ids, code in codes.items():
        assert run_duvo_with_fake_api("runs", "get", *run_ids).returncode == code
    assert run_duvo_with_fake_api("runs", "stop", nobody, one).returncode == 3


def test_wait_as_json_prints_the_same_of_a_run_alone_and_among_several(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    one = fake_api.start("completed", sandbox_id="44444444-4444-4444-8444-444444444444")
    other = fake_api.start("completed")
    alone = run_duvo_with_fake_api("runs", "wait", one, "--json")
    several = run_duvo_with_fake_api("runs", "wait", other, one, "--json")
    documents = [json.loads(line) for line in several.stdout.splitlines()]
    assert json.loads(alone.stdout) in documents


@pytest.mark.long
def test_a_wait_for_several_runs_that_is_over_names_those_that_are_left(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done, running = fake_api.start("completed"), fake_api.start()
    for seconds in ("1", "5", "20"):  # a busy machine may need the first to read the runs
        waited = run_duvo_with_fake_api("runs", "wait", done, running, "--timeout", seconds)
        assert waited.returncode == 124
        if "did not end" in waited.stderr:
            break
    *_, line, again = waited.stderr.splitlines()
    assert f" of 2 runs did not end within {seconds} s and continue; wait again with:" in line
    assert again.startswith("  duvo runs wait ")
    assert again.endswith(running)


@pytest.mark.long
def test_filters_of_watch_and_inbox_are_by_creation(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    old, new = fake_api.start(created_at="2025-12-01T00:00:00Z"), fake_api.start()
    fake_api.ask(old)
    fake_api.ask(new)
    inbox = run_duvo_with_fake_api("runs", "inbox", "--until", "2025-12-02T00:00:00Z", "--json")
    assert [one["run"]["id"] for one in json.loads(inbox.stdout)["data"]] == [old]
    fake_api.end(old)
    fake_api.end(new)
    filters = ("--since", "today", "--status", "waiting,running")
    watched = run_duvo_with_fake_api("runs", "watch", *filters)
    assert (watched.returncode, watched.stderr) == (0, "duvo: no runs to watch\n")
