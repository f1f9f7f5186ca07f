"""The command in a terminal: prompts, colours, the status line, control characters."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import duvo
from tests.servers.fake_api import FakeAPI, ReceivedRequest
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal


def terminal(command: Command, *arguments: str, **settings: str) -> PseudoTerminal:
    return PseudoTerminal([DUVO, *arguments], {**command.environment, **settings})


def waiting(client: duvo.Client, agent: str) -> duvo.Run:
    run = client.runs.start(agent)
    wait_for(lambda: run.refresh().pending_request)
    return run


def test_a_command_in_a_terminal_asks_by_default_and_says_how_to_leave(run_duvo: Command) -> None:
    with terminal(run_duvo, "runs", "start", "--agent", "Invoice approver", "--wait") as tty:
        tty.expect("is waiting for a human:")
        tty.expect("Ctrl-D leaves the request open")
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("y\n")
        tty.expect("INV-1042 is posted")
        assert tty.end() == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "line",
    [
        "duvo runs wait {run} --timeout {seconds} --json",
        "duvo runs wait {run} --timeout {seconds} < /dev/null",
        "duvo runs wait {run} --timeout {seconds} --on-request leave",
        "set -m; duvo runs wait {run} --timeout {seconds} & wait $!",
    ],
    ids=["json", "stdin", "leave", "background"],
)
def test_nothing_is_asked_as_json_without_a_terminal_or_in_the_background(
    line: str, run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    for seconds in (1, 5, 20):  # a busy machine may need the first to read the run
        shell = line.format(run=run.id, seconds=seconds)
        with PseudoTerminal(["bash", "-c", shell], run_duvo.environment) as tty:
            assert tty.end(60) == 124
            assert "Approve?" not in tty.seen
        if "duvo runs respond" in tty.seen:
            break
    assert "duvo runs respond" in tty.seen


def test_an_approval_is_prompted_for_again_after_nonsense(run_duvo: Command) -> None:
    arguments = ["runs", "start", "--agent"]
    with terminal(run_duvo, *arguments, "Invoice approver", "--follow", "--on-request=ask") as tty:
        tty.expect("Post INV-1042")
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("perhaps\n")
        tty.expect("type y to approve or n to deny")
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("y\n")
        tty.expect("INV-1042 is posted")
        assert tty.end() == 0


def test_each_question_is_prompted_for(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Travel booker")
    with terminal(run_duvo, "runs", "wait", run.id, "--on-request", "ask") as tty:
        tty.expect("Where shall the trip go")
        tty.expect(r"2\) Vienna")
        tty.expect(r"\[City\] Number or text: ")
        tty.type("3\n")
        tty.expect("'3' is not an option; type 1 to 2")
        tty.expect("Number or text: ")
        tty.type("2\n")
        tty.expect(r"\[Parts\] Numbers or text, separated by commas: ")
        tty.type("1, museum\n")
        assert tty.end() == 0
        assert "Booked for Vienna: train,museum." in tty.seen


def test_requests_of_several_runs_are_asked_one_by_one_with_their_runs(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    runs = [waiting(dev_client, "Invoice approver") for _ in range(2)]
    with terminal(run_duvo, "runs", "wait", *(run.id for run in runs)) as tty:
        asked = set()
        for keys in ("y\n", "n\n"):
            asked.add(tty.expect(r"run (\S+) is waiting for a human:")[1])
            tty.expect(r"Approve\? \[y/n\] ")
            tty.type(keys)
        assert tty.end() == 0
    assert asked == {run.id for run in runs}


@pytest.mark.long
def test_a_prompt_among_several_runs_ends_when_the_time_is_up(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    runs = [waiting(dev_client, "Invoice approver").id for _ in range(2)]
    for seconds in ("1", "5", "20"):  # a busy machine may need the first for the reads
        with terminal(run_duvo, "runs", "wait", *runs, "--timeout", seconds) as tty:
            assert tty.end(60) == 124
        if "Approve?" in tty.seen:
            break
    assert re.search(
        r"(?s)Approve\? \[y/n\] .*the time is up; the request is still pending.*"
        rf"2 of 2 runs did not end within {seconds} s",
        tty.seen,
    ), tty.seen


@pytest.mark.parametrize("command", ["wait {}", "messages {} --follow"])
def test_a_question_is_shown_once_and_an_empty_line_keeps_the_earlier_answers(
    command: str, run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Travel booker")
    with terminal(run_duvo, "runs", *command.format(run.id).split(), NO_COLOR="1") as tty:
        shown = tty.expect(r"(?s).*\[City\] Number or text: ")[0]
        tty.type("Brno\n")
        shown += tty.expect(r"(?s).*\[Parts\] Numbers or text, separated by commas: ")[0]
        tty.type("\n")
        shown += tty.expect(r"(?s).*type an answer.*\[Parts\] .*: ")[0]
        tty.type("hotel\n")
        tty.expect("Booked for Brno: hotel.")
        assert tty.end() == 0
    for line in ("[City] Where shall", "2) Vienna", "[Parts] What shall", "3) museum"):
        assert shown.count(line) == 1, shown
    assert "runs respond" not in shown


def test_a_prompt_ends_when_the_reader_of_stdout_has_gone(
    run_duvo: Command, dev_client: duvo.Client, tmp_path: Path
) -> None:
    run = waiting(dev_client, "Travel booker")
    reader = f"read line; until [ -e {shlex.quote(str(tmp_path / 'asked'))} ]; do sleep 0.05; done"
    shell = f"set -o pipefail; duvo runs messages {run.id} --follow | ({reader})"
    with PseudoTerminal(["bash", "-c", shell], run_duvo.environment) as tty:
        # The request is shown where the prompt is.
        tty.expect("Where shall the trip go")
        tty.expect("Number or text: ")
        (tmp_path / "asked").touch()
        assert tty.end() == 141
        assert "Traceback" not in tty.seen
    assert run.refresh().status == "waiting"


@pytest.mark.long
def test_a_prompt_ends_on_time_when_the_server_does_not_answer(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    over = threading.Event()
    asked = threading.Event()

    def hang(seen: ReceivedRequest) -> None:
        if asked.is_set():
            hung.set()
            over.wait(20)

    hung = threading.Event()
    fake_api.before = hang
    options = ("--timeout", "5", "--on-request", "ask")
    began = time.monotonic()
    with terminal(run_duvo_with_fake_api, "runs", "wait", run_id, *options) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        asked.set()
        assert hung.wait(20)
        tty.expect("the time is up")
        assert tty.end() == 124
        assert "Traceback" not in tty.seen
    over.set()
    assert time.monotonic() - began < 15


@pytest.mark.long
def test_a_prompt_ends_when_the_request_is_answered_elsewhere(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    with terminal(run_duvo, "runs", "messages", run.id, "--follow", "--on-request", "ask") as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        run.respond(approve=False)
        tty.expect("the request was answered elsewhere")
        tty.expect("INV-1042 is left alone")
        assert tty.end() == 0


def test_a_prompt_ends_when_the_time_is_up(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Invoice approver")
    for seconds in ("1", "5", "20"):  # a busy machine may need the first for the reads
        options = ("--on-request", "ask", "--timeout", seconds)
        with terminal(run_duvo, "runs", "wait", run.id, *options) as tty:
            assert tty.end(60) == 124
        if "Approve?" in tty.seen:
            break
    assert re.search(r"(?s)Approve\? \[y/n\] .*the time is up", tty.seen), tty.seen


def test_the_end_of_input_leaves_the_request_pending(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    with terminal(run_duvo, "runs", "wait", run.id, "--on-request", "ask") as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("\x04")
        tty.expect("left unanswered; the request is still pending")
        tty.expect(f"duvo runs respond {run.id} --approve")
        run.respond(approve=True)
        assert tty.end() == 0


def test_ctrl_c_at_the_prompt_of_a_follow_names_the_message_before_the_request(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    *_, last, _request = run.messages()
    with terminal(run_duvo, "runs", "messages", run.id, "--follow") as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("\x03")
        tty.expect(f"\n  duvo runs messages {run.id} --follow --after {last.id}\r\n")
        assert tty.end() == 130


def test_ctrl_c_at_a_prompt_detaches(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Invoice approver")
    with terminal(run_duvo, "runs", "wait", run.id, "--on-request", "ask") as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("\x03")
        tty.expect("detached")
        assert tty.end() == 130
        assert "Traceback" not in tty.seen


def test_the_status_line_is_erased_at_the_end(run_duvo: Command, dev_client: duvo.Client) -> None:
    run = waiting(dev_client, "Invoice approver")
    with terminal(run_duvo, "runs", "wait", run.id, "--on-request=leave", NO_COLOR="1") as tty:
        tty.expect(rf"run {run.id[:8]} waiting · \d+:\d\d")
        tty.type("\x03")
        assert tty.end() == 130
        assert tty.seen.index("\r\x1b[K") < tty.seen.index("detached")
        after = tty.seen[tty.seen.index("detached") :]
        assert "\x1b" not in after


def test_there_is_no_status_line_without_a_terminal(
    run_duvo: Command, dev_client: duvo.Client
) -> None:
    run = waiting(dev_client, "Invoice approver")
    done = run_duvo("runs", "wait", run.id, "--timeout", "2.5")
    assert "waiting ·" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.long
def test_colours_are_for_terminals_without_no_color(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "Hello")
    fake_api.end(run_id)
    with terminal(run_duvo_with_fake_api, "runs", "messages", run_id) as tty:
        assert tty.end() == 0
        assert "\x1b[32massistant" in tty.seen
    with terminal(run_duvo_with_fake_api, "runs", "messages", run_id, NO_COLOR="1") as tty:
        assert tty.end() == 0
        assert "\x1b" not in tty.seen
    assert "\x1b" not in run_duvo_with_fake_api("runs", "messages", run_id).stdout


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x7f\u202egnp.exe\r\nnext\rline"


@pytest.mark.parametrize(
    "command",
    [
        "runs messages RUN",
        "runs messages RUN --follow",
        "runs messages RUN --json",
        "runs wait RUN",
        "runs get RUN",
        "runs inbox",
        "runs watch RUN --messages",
        "runs list",
        "agents list",
        "api GET /v2/runs/RUN/messages",
    ],
)
def test_control_characters_from_the_api_never_reach_the_terminal(
    command: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    waits = "get" in command or "inbox" in command
    run_id = fake_api.start("waiting" if waits else "running", source=EVIL)
    fake_api.agents[0]["name"] = EVIL
    call = {"id": "c", "name": EVIL, "arguments": {EVIL: EVIL}}
    fake_api.say(run_id, EVIL, type="tool_call", text_content=None, tool_call=call)
    result = {"tool_call_id": "c", "error": EVIL}
    fake_api.say(run_id, EVIL, type="tool_result", text_content=None, tool_result=result)
    fake_api.say(run_id, EVIL, type=EVIL, role=EVIL)
    fake_api.say(run_id, EVIL)
    if waits:
        question = {"question": EVIL, "header": EVIL, "options": [{"label": EVIL}]}
        fake_api.ask(run_id, type="question", title=EVIL, description=EVIL, questions=[question])
    else:
        fake_api.end(run_id)
    with terminal(
        run_duvo_with_fake_api, *command.replace("RUN", run_id).split(), NO_COLOR="1"
    ) as tty:
        assert tty.end() == 0
    shown = tty.seen.replace("\r\n", "\n").replace("\r\x1b[K", "").replace("\x1b[1A\x1b[K", "")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert "gnp.exe" in shown or any(word in command for word in ("wait", "watch", "list"))


def test_long_lines_are_wrapped_under_their_column(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "word " * 60)
    fake_api.end(run_id)
    with terminal(run_duvo_with_fake_api, "runs", "messages", run_id, NO_COLOR="1") as tty:
        tty.end()
    lines = tty.seen.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert [line for line in lines if line.startswith(" " * 21 + "word")]


def test_stop_asks_for_confirmation_in_a_terminal(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.runs[run_id]["title"] = "March"
    for keys, code in (("n\n", 1), ("\n", 1), ("\x04", 1), ("\x03", 130), ("y\n", 0)):
        with terminal(run_duvo_with_fake_api, "runs", "stop", run_id) as tty:
            tty.expect(rf"Stop run {run_id[:8]} \(Invoice approver, March, running\)\? \[y/N\] ")
            tty.type(keys)
            assert tty.end() == code
    assert fake_api.count("POST", "/stop") == 1
    with terminal(run_duvo_with_fake_api, "runs", "stop", "-y", fake_api.start()) as tty:
        assert tty.end() == 0


def test_stop_names_a_run_once_whose_title_is_its_agents_name(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_id = fake_api.start()
    fake_api.runs[run_id]["title"] = "Invoice approver"
    with terminal(run_duvo_with_fake_api, "runs", "stop", run_id) as tty:
        tty.expect(rf"Stop run {run_id[:8]} \(Invoice approver, running\)\? \[y/N\] ")
        tty.type("n\n")
        assert tty.end() == 1


def test_stop_asks_once_for_several_runs(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_ids = [fake_api.start() for _ in range(3)]
    for keys, code, stops in (("n\n", 1, 0), ("y\n", 0, 3)):
        with terminal(run_duvo_with_fake_api, "runs", "stop", *run_ids) as tty:
            tty.expect(r"Stop 3 runs\? \[y/N\] ")
            tty.type(keys)
            assert tty.end() == code
        assert fake_api.count("POST", "/stop") == stops
        assert "[y/N]" not in tty.seen


def test_the_key_of_a_profile_is_prompted_for_and_not_shown(run_duvo_unconfigured: Command) -> None:
    with terminal(run_duvo_unconfigured, "profiles", "add", "work", "--no-check") as tty:
        tty.expect("API key")
        tty.type("dv_secret_of_mine_1234\n")
        assert tty.end() == 0
        assert "secret" not in tty.seen
    file = Path(os.environ["DUVO_CONFIG_DIR"]) / "profiles.toml"
    assert "dv_secret_of_mine_1234" in file.read_text()


@pytest.mark.long
def test_ctrl_c_reaches_the_program_of_dev_once(run_duvo_unconfigured: Command) -> None:
    script = (
        "import signal, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda number, frame: got.append(number))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "print('got', len(got))\n"
    )
    with terminal(run_duvo_unconfigured, "dev", "--", sys.executable, "-c", script) as tty:
        tty.expect("ready")
        tty.type("\x03")
        assert tty.end() == 0
        assert "got 1" in tty.seen


@pytest.mark.parametrize(
    "line",
    [
        "runs start --agent Talker --message hi --follow",
        "runs start --agent Failing --wait",
        "runs start-many --agent Talker --input rows.csv",
        "runs watch {run}",
        "runs list",
        "runs start --agent 'Invoice approver' --follow --on-request approve",
    ],
)
def test_a_dumb_terminal_gets_no_escapes(
    line: str,
    run_duvo: Command,
    dev_client: duvo.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("message\nhi\n")
    words = [DUVO, *shlex.split(line.replace("{run}", dev_client.runs.start("Talker").id))]
    with PseudoTerminal(words, run_duvo.environment, term="dumb") as tty:
        assert tty.end() in (0, 4)
        assert "\x1b" not in tty.seen
        assert "\r" not in tty.seen.replace("\r\n", "")


def test_the_status_line_fits_the_terminal_that_it_is_written_to(
    run_duvo: Command, tmp_path: Path
) -> None:
    environment = {**run_duvo.environment, "COLUMNS": "150"}
    words = [
        DUVO,
        "runs",
        "start",
        "--agent",
        "Invoice approver",
        "--wait",
        "--on-request",
        "leave",
    ]
    shell = f"exec {shlex.join(words)} > {shlex.quote(str(tmp_path / 'out'))}"
    with PseudoTerminal(["bash", "-c", shell], environment, columns=20) as tty:
        found = tty.expect(r"\x1b\[K(run [0-9a-f]{8} wait[^\r\x1b]*…)")
        assert len(found[1]) == 19
        tty.type("\x03")
        assert tty.end() == 130


def test_a_whole_session_in_tmux(run_duvo: Command, tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    socket = str(tmp_path / "tmux")
    environment = {**run_duvo.environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}

    def tmux(*arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-u", "-S", socket, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout

    follow = [DUVO, "runs", "start", "--agent", "Invoice approver", "--follow", "--on-request=ask"]
    shell = f"{shlex.join(follow)}; echo exit $?; cat"
    tmux("new-session", "-d", "-x", "110", "-y", "40", shell)
    try:
        wait_for(lambda: "Approve? [y/n]" in tmux("capture-pane", "-p"))
        tmux("send-keys", "y", "Enter")
        wait_for(lambda: "exit 0" in tmux("capture-pane", "-p"))
        screen = tmux("capture-pane", "-p")
    finally:
        tmux("kill-server")
    assert "assistant  INV-1042 is posted." in screen
    assert "→ post_invoice" in screen
    assert "·" not in screen
