"""`duvo runs watch`: a table in a terminal, JSON lines elsewhere."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import FakeAPI, ReceivedRequest
from tests.support.command import DUVO, Command, rest_of, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def watching(command: Command, *arguments: str, columns: int = 100) -> PseudoTerminal:
    program = [DUVO, "runs", "watch", *arguments]
    return PseudoTerminal(program, {**command.environment, "NO_COLOR": "1"}, columns)


def lines_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_watch_prints_the_events_of_each_run_until_all_have_ended(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    talker = dev_client.runs.start("Talker", "ahoj")
    approver = dev_client.runs.start("Invoice approver")
    process = run_duvo.start("runs", "watch", talker.id, approver.id, "--messages")
    assert process.stdout is not None
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != "human_request":
        events.append(json.loads(process.stdout.readline()))
    assert events[-1]["run"]["id"] == approver.id
    assert events[-1]["request"]["title"] == "Post INV-1042?"
    approver.respond(approve=True)
    rest, errors = rest_of(process)
    events += lines_of(rest)
    assert (process.returncode, errors) == (0, "")
    ends = [event["run"]["id"] for event in events if event["type"] == "finished"]
    assert sorted(ends) == sorted([talker.id, approver.id])
    texts = [event["message"]["content"] for event in events if event["type"] == "message"]
    assert [text for text in texts if "ahoj" in text] == ["ahoj", "You said: ahoj"]
    assert "INV-1042 is posted." in texts


def test_watch_prints_no_messages_by_default(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = dev_client.runs.start("Talker")
    done = run_duvo("runs", "watch", run.id)
    assert {event["type"] for event in lines_of(done.stdout)} == {"status", "finished"}


@pytest.mark.parametrize(
    ("agents", "code"), [(["Talker"], 0), (["Talker", "Endless worker"], 5), (["Failing"], 4)]
)
def test_the_exit_code_of_watch_reflects_the_outcome_only_on_request(
    agents: list[str], code: int, run_duvo: Command, dev_client: duvo.Client
) -> None:
    runs = [dev_client.runs.start(agent) for agent in agents]
    for run in runs:
        if agents[-1] == "Endless worker":
            run.stop()
    ids = [run.id for run in runs]
    assert run_duvo("runs", "watch", *ids, "--exit-status").returncode == code
    assert run_duvo("runs", "watch", *ids).returncode == 0


def test_all_unfinished_runs_are_watched_by_default(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    asking, working, ended = fake_api.start(), fake_api.start(), fake_api.start()
    fake_api.ask(asking)
    fake_api.end(ended)
    process = run_duvo_with_fake_api.start("runs", "watch")
    assert process.stdout is not None
    seen = {json.loads(process.stdout.readline())["run"]["id"] for _ in range(2)}
    assert seen == {asking, working}
    fake_api.end(asking)
    fake_api.end(working, "interrupted")
    rest, errors = rest_of(process)
    assert (process.returncode, errors) == (0, "")
    ends = {event["run"]["id"]: event["run"]["status"] for event in lines_of(rest)}
    assert ends == {asking: "completed", working: "stopped"}


def test_a_run_whose_status_changes_while_lists_are_read_is_watched(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id, working = fake_api.start(), fake_api.start()
    fake_api.ask(run_id)

    def before(seen: ReceivedRequest) -> None:
        if seen.query.get("status") == "waiting":
            fake_api.runs[run_id]["status"] = "running"
        elif "status" not in seen.query:
            fake_api.end(run_id)
            fake_api.end(working)

    fake_api.before = before
    done = run_duvo_with_fake_api("runs", "watch")
    ends = [event["run"]["id"] for event in lines_of(done.stdout) if event["type"] == "finished"]
    assert sorted(ends) == sorted([run_id, working])


@pytest.mark.long
def test_filters_choose_the_watched_runs(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    asking = fake_api.start()
    fake_api.start()
    fake_api.ask(asking)
    for seconds in ("1", "5", "20"):  # a busy machine may need the first to read the runs
        done = run_duvo_with_fake_api("runs", "watch", "--status", "waiting", "--timeout", seconds)
        if done.stdout:
            break
    assert {event["run"]["id"] for event in lines_of(done.stdout)} == {asking}
    assert done.returncode == 124
    assert "duvo runs watch --status waiting" in done.stderr
    none = run_duvo_with_fake_api(
        "runs", "watch", "--agent", "Invoice approver", "--status", "pending"
    )
    assert (none.stdout, none.returncode) == ("", 0)
    assert none.stderr == "duvo: no runs to watch\n"
    before = len(fake_api.requests)
    ended = run_duvo_with_fake_api("runs", "watch", "--status", "failed")
    assert (ended.stdout, ended.returncode) == ("", 1)
    assert ended.stderr == (
        "duvo: runs that are failed have ended; "
        "`duvo runs list --status failed` shows them; see `duvo runs watch --help`\n"
    )
    assert len(fake_api.requests) == before


@pytest.mark.long
def test_the_table_is_updated_in_place_and_stays(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    first, second = fake_api.start(), fake_api.start()
    with watching(run_duvo_with_fake_api) as tty:
        tty.expect("STATUS +AGENT( +TITLE)? +AGE +TOOK +RUN")
        tty.expect("2 runs: 2 running")
        fake_api.ask(first)
        tty.expect("Post INV-1042")
        tty.expect("2 runs: 1 running, 1 waiting")
        fake_api.end(first)
        fake_api.end(second, "failed")
        assert tty.end() == 0
        assert tty.seen.endswith("2 runs: 1 completed, 1 failed\r\n")


def test_the_table_fits_a_small_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    for _ in range(60):
        fake_api.start()
    with watching(run_duvo_with_fake_api, columns=60) as tty:
        tty.expect("… and 34 more")
        tty.expect("60 runs: 60 running")
        tty.type("\x03")
        assert tty.end() == 130
        drawn = tty.seen.replace("^C", "").replace("\r\x1b[K", "").replace("\x1b[1A\x1b[K", "")
        assert not [line for line in drawn.splitlines() if len(line) >= 60 and "duvo:" not in line]


def test_ctrl_c_detaches_and_leaves_the_table(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    with watching(run_duvo_with_fake_api, run_id, "--messages") as tty:
        tty.expect("1 run: 1 running")
        tty.type("\x03")
        assert tty.end() == 130
        table, rest = tty.seen.rsplit("1 run: 1 running", 1)
        assert run_id[:8] in table
        assert "detached; the runs continue; watch them again with:" in rest
        assert f"\n  duvo runs watch {run_id} --messages\r\n" in rest
        assert "\x1b" not in rest.replace("\x1b[K", "")
        assert "Traceback" not in rest
    assert fake_api.runs[run_id]["status"] == "running"


def test_ctrl_c_detaches_without_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    process = run_duvo_with_fake_api.start("runs", "watch", fake_api.start())
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.startswith("duvo: detached; the runs continue")


def test_a_closed_output_pipe_ends_watch_quietly(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = dev_client.runs.start("Endless worker")
    process = run_duvo.start("runs", "watch", run.id, "--messages")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    wait_for(lambda: process.poll() is not None)
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (141, "")
    process.stderr.close()
    run.stop()
