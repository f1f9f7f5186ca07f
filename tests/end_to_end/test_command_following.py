"""Starting, following and waiting: output and exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.command import Command, rest_of, wait_for

FAILURE = r"RuntimeError: this agent always fails \(examples\.py:\d+\)"


def started(client: duvo.Client, agent: str, message: str | None = None) -> duvo.Run:
    return client.runs.start(agent, message=message)


def waiting(client: duvo.Client, agent: str) -> duvo.Run:
    run = started(client, agent)
    wait_for(lambda: run.refresh().pending_request)
    return run


def detached(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, and return the rest of stdout and stderr."""
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    return output, errors


def test_a_plain_start_prints_the_run_and_how_to_follow_it(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Talker")
    run_id = done.stdout.split()[1]
    assert done.stdout.startswith("run ")
    assert f"duvo runs messages {run_id} --follow" in done.stderr
    assert done.returncode == 0


def test_follow_shows_the_conversation_and_the_end(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Talker", "--message", "ahoj", "--follow")
    assert "assistant  You said: ahoj" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("session completed")
    assert "completed after" in done.stderr
    assert done.returncode == 0


def test_follow_as_json_prints_the_run_first_and_last(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Talker", "--follow", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["run"]["status"] == "pending"
    assert lines[-1]["run"]["status"] == "completed"
    assert [line["role"] for line in lines[1:-1]] == ["system", "assistant", "assistant", "system"]
    assert all(isinstance(line["content"], str) for line in lines[1:-1])


def test_messages_and_agents_with_broken_fields_are_shown_with_one_warning(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    call = {"id": "c", "name": None, "arguments": None}
    fake_api.say(run_id, "Paying.", type="tool_call", tool_call=call)
    result = {"tool_call_id": "c", "error": {"code": 5}}
    fake_api.say(run_id, "", type="tool_result", text_content=None, tool_result=result)
    fake_api.say(run_id, "It failed.", role=None, timestamp=7)
    fake_api.end(run_id, "failed")
    done = run_duvo_with_fake_api("runs", "messages", run_id, "--follow")
    assert re.findall(r"Paying\.|{.*}|It failed\.", done.stdout) == [
        "Paying.",
        '{"code": 5}',
        "It failed.",
    ]
    warning, end = done.stderr.splitlines()
    assert "does not match the API" in warning
    assert end == f'duvo: run {run_id} failed: {{"code": 5}}'
    fake_api.agents.insert(0, {"id": run_id, "name": None})  # type: ignore[dict-item]
    started = run_duvo_with_fake_api("runs", "start", "--agent", "Invoice approver")
    assert started.returncode == 0
    assert f"agent {run_id} does not match the API" in started.stderr


def test_follow_as_json_flushes_each_line(run_duvo: Command) -> None:
    process = run_duvo.start("runs", "start", "--agent", "Endless worker", "--follow", "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    messages = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert messages[-1]["content"].startswith("Working")
    run_duvo("runs", "stop", first["run"]["id"])
    rest, _ = rest_of(process)
    assert json.loads(rest.splitlines()[-1])["run"]["status"] == "stopped"
    assert process.returncode == 0


def test_the_exit_code_of_follow_reflects_the_outcome_only_on_request(run_duvo: Command) -> None:
    plain = run_duvo("runs", "start", "--agent", "Failing", "--follow")
    strict = run_duvo("runs", "start", "--agent", "Failing", "--follow", "--exit-status")
    assert (plain.returncode, strict.returncode) == (0, 4)
    for done in (plain, strict):
        assert "failed: RuntimeError: this agent always fails" in done.stderr


def test_wait_prints_the_answer_alone(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Talker", "--wait")
    assert done.stdout == "That is all. Send me another message and I will continue.\n"
    assert (done.stderr, done.returncode) == ("", 0)


def test_waiting_for_a_failed_run_shows_the_reason_and_exits_with_4(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Failing", "--wait")
    assert (done.stdout, done.returncode) == ("", 4)
    assert done.stderr.startswith("duvo: run ")
    assert re.search(f"failed: {FAILURE}\n$", done.stderr)


def test_wait_as_json_prints_run_answer_and_failure(run_duvo: Command) -> None:
    done = run_duvo("runs", "start", "--agent", "Failing", "--wait", "--json")
    document = json.loads(done.stdout)
    assert list(document) == ["run", "answer", "failure"]
    assert document["run"]["status"] == "failed"
    assert re.fullmatch(FAILURE, document["failure"])
    assert done.returncode == 4


def test_waiting_for_a_stopped_run_exits_with_5(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = started(dev_client, "Endless worker").stop()
    done = run_duvo("runs", "wait", run.id)
    assert (done.stdout, done.returncode) == ("", 5)
    assert "stopped" in done.stderr


def test_wait_ends_with_124_when_the_time_is_up(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Invoice approver")
    for seconds in ("1", "5", "20"):  # a busy machine may need the first to read the run
        done = run_duvo("runs", "wait", run.id, "--timeout", seconds, "--json")
        assert done.returncode == 124
        if "waits for a human" in done.stderr:
            break
    assert f"run {run.id} waits for a human, and was not answered within {seconds} s" in done.stderr
    assert done.stderr.endswith(
        f"; to continue:\n  duvo runs messages {run.id} --follow\n  duvo runs stop {run.id}\n"
    )
    assert json.loads(done.stdout)["run"]["status"] == "waiting"
    assert run.refresh().status == "waiting"


@pytest.mark.long
def test_an_unanswered_request_is_shown_with_the_command_that_answers_it(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Travel booker")
    for seconds in ("1", "5", "20"):  # a busy machine may need the first to read the run
        options = ("--timeout", seconds, "--team", dev_client.team_id)
        done = run_duvo("runs", "wait", run.id, *options)
        if "[City]" in done.stderr:
            break
    assert "[City] Where shall the trip go?" in done.stderr
    assert "- Prague" in done.stderr
    command = f"duvo runs respond {run.id} --answer 'City=…' --answer 'Parts=…' --team"
    assert command in done.stderr


def test_a_request_ends_a_wait_with_6_under_fail(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    done = run_duvo("runs", "wait", run.id, "--on-request", "fail")
    assert (done.stdout, done.returncode) == ("", 6)
    assert done.stderr.splitlines()[-1].startswith(f"duvo: run {run.id} is waiting for a human")
    assert run.refresh().status == "waiting"


def test_a_question_without_an_answer_ends_a_follow_with_6_under_approve(run_duvo: Command) -> None:
    done = run_duvo(
        "runs", "start", "--agent", "Travel booker", "--follow", "--on-request", "approve"
    )
    assert done.returncode == 6
    assert "answer: duvo runs respond" in done.stdout


@pytest.mark.long
def test_given_answers_and_approvals_let_a_run_complete(run_duvo: Command) -> None:
    start = ("runs", "start", "--wait")
    booked = run_duvo(
        *start, "--agent", "Travel booker", "--answer", "1=Vienna", "--answer", "Parts=train"
    )
    denied = run_duvo(*start, "--agent", "Invoice approver", "--on-request", "deny")
    assert booked.stdout == "Booked for Vienna: train.\n"
    assert denied.stdout == "INV-1042 is left alone.\n"


@pytest.mark.long
def test_two_answers_are_joined_for_choices_and_leave_other_requests_open(
    run_duvo: Command,
) -> None:
    start = ("runs", "start", "--wait", "--agent", "Travel booker", "--answer", "Parts=train")
    joined = run_duvo(*start, "--answer", "2=hotel", "--answer", "City=Prague")
    assert joined.stdout == "Booked for Prague: train,hotel.\n"
    left = run_duvo(*start, "--answer", "City=Prague", "--answer", "1=Vienna")
    assert (left.stdout, left.returncode) == ("", 6)
    why = "the question 'City' takes one answer, but 'Prague' and 'Vienna' are given"
    assert [line for line in left.stderr.splitlines() if line.endswith(why)] != []
    run_id = left.stderr.split()[2].rstrip(":")
    options = ("--answer", "City=Prague", "--answer", "1=Vienna", "--answer", "Parts=train")
    refused = run_duvo("runs", "respond", run_id, *options)
    assert (refused.stdout, refused.returncode) == ("", 1)
    assert why in refused.stderr


@pytest.mark.long
def test_following_messages_shows_all_of_them_or_the_tail(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = started(dev_client, "Talker", "hi").wait()
    whole = run_duvo("runs", "messages", run.id, "--follow")
    tail = run_duvo("runs", "messages", run.id, "--follow", "--tail", "2")
    assert len(whole.stdout.splitlines()) == 6
    assert tail.stdout.splitlines() == whole.stdout.splitlines()[-2:]


def test_messages_as_json_are_the_response_of_the_api_with_the_documented_names(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    for number in range(60):
        fake_api.say(run_id, f"line {number}")
    request_id = fake_api.ask(run_id)
    whole = json.loads(run_duvo_with_fake_api("runs", "messages", run_id, "--json").stdout)
    page = json.loads(
        run_duvo_with_fake_api(
            "--json", "runs", "messages", run_id, "--limit=2", "--offset=3"
        ).stdout
    )
    last = json.loads(
        run_duvo_with_fake_api("runs", "--json", "messages", run_id, "--tail=1").stdout
    )
    assert [whole[name] for name in ("total", "limit", "offset")] == [60, 60, 0]
    assert [message["content"] for message in whole["messages"][:60]] == [
        f"line {n}" for n in range(60)
    ]
    assert whole["messages"][60]["id"] == request_id
    assert whole["messages"][60]["status"] == "pending"
    assert [message["content"] for message in page["messages"]] == ["line 3", "line 4"]
    assert [page[name] for name in ("total", "limit", "offset")] == [60, 2, 3]
    assert [message["type"] for message in last["messages"]] == ["text", "human_request"]
    assert last["offset"] == 59
    after = ("--after", whole["messages"][51]["id"])
    for options, contents in (((), range(52, 60)), (("--limit=2",), range(52, 54))):
        done = run_duvo_with_fake_api("runs", "messages", run_id, *after, *options, "--json")
        rest = json.loads(done.stdout)
        shown = [message["content"] for message in rest["messages"]]
        assert shown[: len(contents)] == [f"line {n}" for n in contents]
        assert (rest["total"], rest["offset"]) == (60, 52)
    tail = run_duvo_with_fake_api("runs", "messages", run_id, "--tail=9", "--limit=2", "--json")
    assert json.loads(tail.stdout)["offset"] == 51


def test_ctrl_c_while_following_detaches_and_says_how_to_continue(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = started(dev_client, "Endless worker")
    process = run_duvo.start("runs", "messages", run.id, "--follow")
    assert process.stdout is not None
    process.stdout.readline()
    _, errors = detached(process)
    said, follow, stop = errors.splitlines()[-3:]
    assert said == f"duvo: detached; run {run.id} continues; to follow or stop it:"
    assert follow.startswith(f"  duvo runs messages {run.id} --follow --after ")
    assert stop == f"  duvo runs stop {run.id}"
    assert run.refresh().status == "running"
    run.stop()


@pytest.mark.parametrize("command", ["wait", "watch"])
def test_a_timeout_on_a_temporary_engine_advises_no_command(
    command: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = [fake_api.start(), fake_api.start()]
    for run_ids in (runs[:1], runs):
        for timeout in ("1", "5", "20"):
            words = ["runs", command, *run_ids, "--timeout", timeout]
            done = run_duvo_with_fake_api(*words, DUVO_DEV_DATABASE="temporary")
            (said,) = [line for line in done.stderr.splitlines() if line.startswith("duvo: ")]
            if f"within {timeout} s" in said:  # the runs were read in this time
                break
        assert re.search(r"ends? with the temporary engine of `duvo dev`$", said)
        assert (done.returncode, "duvo runs" in done.stderr) == (124, False)


def test_the_command_named_after_ctrl_c_shows_the_rest_and_nothing_twice(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = started(dev_client, "Endless worker")
    process = run_duvo.start("runs", "messages", run.id, "--follow")
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    rest, errors = rest_of(process)
    run.stop()
    (advised,) = re.findall(r"^  duvo (runs messages .*)$", errors, re.MULTILINE)
    continued = run_duvo(*advised.split())
    whole = run_duvo("runs", "messages", run.id)
    assert "".join(first) + rest + continued.stdout == whole.stdout
    assert len(continued.stdout.splitlines()) < len(whole.stdout.splitlines())


@pytest.mark.parametrize("option", ["--tail", "--offset", "--after"])
def test_a_follow_that_was_ended_before_it_showed_anything_continues_where_it_would_have_begun(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, option: str
) -> None:
    run_id = fake_api.start()
    last = [fake_api.say(run_id, f"line {number}") for number in range(3)][-1]
    beginning = {"--tail": "0", "--offset": "3", "--after": last}[option]
    process = run_duvo_with_fake_api.start(
        "runs", "messages", run_id, "--follow", option, beginning
    )
    # Before the second poll, the command has read all that there is.
    wait_for(lambda: fake_api.count("GET", f"/runs/{run_id}") >= 2)
    output, errors = detached(process)
    assert output == ""
    assert f"\n  duvo runs messages {run_id} --follow {option} {beginning}\n" in errors


def test_a_follow_from_an_offset_that_showed_a_message_continues_after_it(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    shown = [message for message in run.messages() if not message.is_pending_request]
    process = run_duvo.start(
        "runs", "messages", run.id, "--follow", "--offset", str(len(shown) - 1)
    )
    assert process.stdout is not None
    process.stdout.readline()
    _, errors = detached(process)
    assert f"\n  duvo runs messages {run.id} --follow --after {shown[-1].id}\n" in errors


@pytest.mark.long
def test_a_follow_that_read_messages_but_not_the_run_ends_with_124(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "line 0")
    has_ended = threading.Event()

    def hold(seen: ReceivedRequest) -> None:
        if not seen.path.endswith("/messages"):
            has_ended.wait(60)

    fake_api.before = hold
    # Long enough for a slow machine to read the message.
    done = run_duvo_with_fake_api("runs", "messages", run_id, "--follow", "--timeout", "10")
    has_ended.set()
    assert (done.returncode, "line 0" in done.stdout) == (124, True)
    assert f"run {run_id} was not seen to end within 10 s; to follow or stop it:" in done.stderr
    assert f"duvo runs stop {run_id}" in done.stderr


def test_ctrl_c_while_waiting_detaches(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Invoice approver")
    process = run_duvo.start("runs", "wait", run.id)
    assert process.stderr is not None
    process.stderr.readline()
    _, errors = detached(process)
    assert "detached" in errors


def test_a_closed_output_pipe_ends_messages_quietly(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    run_id = fake_api.start()
    for _ in range(100):
        fake_api.say(run_id, "x" * 5000)
    fake_api.end(run_id)
    for flags in ("", "--json", "--follow", "--follow --json"):
        done = subprocess.run(
            ["bash", "-c", f"duvo runs messages {run_id} {flags} | head -1"],
            env=run_duvo_with_fake_api.environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stderr == ""
        assert done.stdout.count("\n") == 1


def test_a_full_disk_is_one_line(run_duvo_with_fake_api: Command) -> None:
    for arguments in ("agents list", "--help", "--version", "runs list --help"):
        done = subprocess.run(
            ["bash", "-c", f"duvo {arguments} > /dev/full"],
            env=run_duvo_with_fake_api.environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "duvo: cannot write the output: No space left on device"
        ]


def test_closed_streams_cause_no_traceback(run_duvo_with_fake_api: Command) -> None:
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = subprocess.run(
            ["bash", "-c", f"duvo agents list {closed}; duvo runs get nope {closed}"],
            env=run_duvo_with_fake_api.environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == 3


@pytest.mark.long
def test_the_message_of_a_start_can_come_from_stdin_or_a_file(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    file = tmp_path / "task.txt"
    file.write_text("from a file, žluťoučký\n", encoding="utf-8")
    start = ("runs", "start", "--agent", AGENT, "--message")
    assert run_duvo_with_fake_api(*start, "-", input="from stdin\n").returncode == 0
    assert run_duvo_with_fake_api(*start, f"@{file}").returncode == 0
    assert run_duvo_with_fake_api(*start, "@@ada please").returncode == 0
    assert run_duvo_with_fake_api(*start, "-x").returncode == 0
    refused = run_duvo_with_fake_api(*start, "@nowhere")
    sent = [seen.json["message"] for seen in fake_api.requests if seen.method == "POST"]
    assert sent == ["from stdin\n", "from a file, žluťoučký\n", "@ada please", "-x"]
    assert refused.returncode == 1
    assert refused.stderr.startswith("duvo: cannot read 'nowhere': No such file")


@pytest.mark.parametrize(
    "line", ["runs messages {} --follow", "runs messages {} --follow --json", "runs watch {}"]
)
def test_a_follow_ends_when_its_reader_has_gone(
    line: str, run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    process = run_duvo.start(*line.format(run.id).split())
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    # Nothing more is written until the request is answered.
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
    assert run.refresh().status == "waiting"


def test_nothing_is_started_when_an_option_cannot_work(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    start = ("runs", "start", "--agent", AGENT, "--follow")
    for wrong in (
        ("--on-request", "ask"),
        ("--answer", "no key"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
        ("--wait",),
        ("--message", "@nowhere"),
    ):
        done = run_duvo_with_fake_api(*start, *wrong)
        assert done.returncode == 1
        assert done.stderr.startswith("duvo: ")
        assert len(done.stderr.splitlines()) == 1
    assert fake_api.requests == []


def test_a_start_with_an_unknown_outcome_says_how_to_find_out(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    from tests.servers.fake_api import DropConnection

    def drop(seen: object) -> None:
        raise DropConnection

    fake_api.start(created_at="2025-12-31T00:00:00Z")
    fake_api.clock_is_real = True
    fake_api.after = drop
    done = run_duvo_with_fake_api("runs", "start", "--agent", AGENT)
    assert done.returncode == 1
    (advised,) = re.findall(r"`duvo (.*?)`", done.stderr)
    assert advised == f"runs list --agent {AGENT} --since 5m"
    assert len(fake_api.runs) == 2
    fake_api.after = lambda seen: None
    shown = run_duvo_with_fake_api(*advised.split()).stdout.splitlines()
    assert [line.split()[0] for line in shown] == [list(fake_api.runs)[1]]


def test_an_outage_is_two_lines_and_loses_no_message(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    for number in range(3):
        fake_api.say(run_id, f"line {number}")
    fake_api.end(run_id)
    fake_api.before = lambda seen: (
        (502, b"<html>bad gateway</html>") if 1 < len(fake_api.requests) < 6 else None
    )
    done = run_duvo_with_fake_api("runs", "messages", run_id, "--follow")
    assert [line[-6:] for line in done.stdout.splitlines()[1:]] == ["line 0", "line 1", "line 2"]
    begin, end = (line for line in done.stderr.splitlines() if "read" in line)
    assert "cannot be read, still trying" in begin
    assert "can be read again" in end
    assert done.returncode == 0
