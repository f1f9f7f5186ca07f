"""`duvo dev`: an engine in the foreground, or for the length of one program."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

import duvo
from tests.servers.dev_process import DevProcess, running_dev
from tests.servers.fake_api import KEY
from tests.support.command import DUVO, Command, rest_of, wait_for
from tests.support.pseudo_terminal import PseudoTerminal

AGENTS = """
import time
from duvo.local import agent

@agent("Mine")
async def mine(run):
    await run.say("from my file")

@agent("Slow tool")
async def slow(run):
    await run.tool("sleep", {"seconds": 30}, lambda seconds: time.sleep(seconds))

@agent("Deaf")
async def deaf(run):
    while True:
        try:
            await run.sleep(0.1)
        except:
            pass
"""

LONGEST_END = 15
"""Seconds within which `duvo dev` ends: five, and more on a busy machine."""


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which programs make their temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def agents_file(tmp_path: Path) -> str:
    """A file with agents."""
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    return str(file)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """A running `duvo dev` that tests only look at."""
    with running_dev(tmp_path_factory.mktemp("dev")) as dev:
        yield dev


def started(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Return the process once it has started."""
    assert DevProcess(Command({}), process).output
    return process


def test_dev_says_how_to_reach_it_and_saves_a_profile(dev: DevProcess) -> None:
    address = re.search(r"^Address   (http://127\.0\.0\.1:\d+)$", dev.output, re.MULTILINE)
    assert address
    assert re.search(r"^Key       \S+$", dev.output, re.MULTILINE)
    assert re.search(r"^Database  .*dev\.sqlite$", dev.output, re.MULTILINE)
    assert "Invoice approver" in dev.output
    command = re.search(r"^  duvo (.*)$", dev.output, re.MULTILINE)
    assert command
    first = dev.command(*command[1].replace("'", "").split())
    assert first.returncode == 0, first.stderr
    assert "Hello! I only talk." in first.stdout
    who = dev.command("whoami", "--profile", "local")
    assert address[1] in who.stdout


@pytest.mark.long
def test_the_profile_of_dev_is_used_where_nothing_else_is_set(dev: DevProcess) -> None:
    who = dev.command("whoami")
    assert "local" in who.stdout, who.stderr
    assert dev.command("profiles", "list", "--json").stdout.count('"default": null') == 1
    # A key of the environment goes to the hosted API, here by a proxy that is not there.
    other = dev.command("whoami", DUVO_API_KEY=KEY, HTTPS_PROXY="http://127.0.0.1:9")
    assert (other.returncode, "api.duvo.ai" in other.stderr) == (1, True), other.stderr


@pytest.mark.long
def test_the_profile_of_an_engine_that_has_ended_says_how_to_start_it(
    run_duvo_unconfigured: Command,
) -> None:
    with run_duvo_unconfigured.start("dev", "--port", "0") as process:
        started(process)
        second = run_duvo_unconfigured("dev", "--port", "0")
        assert second.returncode == 1
        assert re.search(rf"another engine runs .*port \d+, process {process.pid}", second.stderr)
        process.terminate()
        rest_of(process)
    for arguments in (["agents", "list"], ["agents", "list", "--profile", "local"]):
        listed = run_duvo_unconfigured(*arguments)
        assert listed.returncode == 1
        assert "the engine of profile 'local' is not running: start `duvo dev`" in listed.stderr


@pytest.mark.long
def test_a_second_engine_has_a_profile_of_its_own(dev: DevProcess, tmp_path: Path) -> None:
    config = dev.command.settings["DUVO_CONFIG_DIR"]
    environment = {"DUVO_CONFIG_DIR": config, "DUVO_STATE_DIR": str(tmp_path)}
    with Command(environment).start("dev", "--port", "0", "--json") as process:
        assert json.loads(DevProcess(dev.command, process).output)["profile"] == "local-2"
        who = dev.command("whoami", "--profile", "local-2", "--json")
        process.terminate()
        rest_of(process)
    assert who.returncode == 0, who.stderr
    assert dev.command("whoami", "--profile", "local").returncode == 0


def test_files_of_dev_are_private_to_their_owner(dev: DevProcess) -> None:
    state = Path(dev.command.settings["DUVO_STATE_DIR"])
    files = [file for file in state.rglob("*") if file.is_file()]
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_ends_within_5_s_and_waiting_runs_continue_at_the_next_start(
    number: signal.Signals, run_duvo_unconfigured: Command
) -> None:
    first = started(run_duvo_unconfigured.start("dev", "--port", "0"))
    with duvo.Client(profile="local") as client:
        runs = [client.runs.start("Invoice approver") for _ in range(100)]
        wait_for(lambda: runs[-1].refresh().pending_request)
    follower = run_duvo_unconfigured.start("--profile", "local", "runs", "wait", runs[0].id)
    assert follower.stderr is not None
    follower.stderr.readline()
    began = time.monotonic()
    first.send_signal(number)
    _, errors = first.communicate(timeout=20)
    assert time.monotonic() - began < LONGEST_END
    assert first.returncode == 0
    assert "Traceback" not in errors
    second = started(run_duvo_unconfigured.start("dev", "--port", "0"))
    try:
        with duvo.Client(profile="local") as client:
            run = client.runs.get(runs[-1].id)
            assert run.status == "waiting"
            run.respond(approve=True)
            assert run.wait(timeout=20).answer == "INV-1042 is posted."
    finally:
        follower.kill()
        follower.communicate()
        second.terminate()
        second.communicate()


@pytest.mark.long
def test_dev_with_nohup_outlives_a_hangup_and_ends_at_pairs_of_signals(
    run_duvo_unconfigured: Command,
) -> None:
    command = ["nohup", DUVO, "dev", "--port", "0"]
    environment = run_duvo_unconfigured.environment
    process = subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True)
    try:
        started(process).send_signal(signal.SIGHUP)
        with duvo.Client(profile="local") as client:
            run = client.runs.start("Talker")
            assert run.wait(timeout=20).status == "completed"
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "duvo: stopping; unfinished runs continue at the next start"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("program", [(), ("--", "true")])
def test_a_signal_ends_dev_while_a_file_is_imported(
    number: signal.Signals,
    program: tuple[str, ...],
    run_duvo_unconfigured: Command,
    tmp_path: Path,
    own_temporary_folder: Path,
) -> None:
    reached = tmp_path / "reached"
    file = tmp_path / "agents.py"
    file.write_text(f"import time\nopen({str(reached)!r}, 'w').close()\ntime.sleep(60)\n")
    process = run_duvo_unconfigured.start("dev", str(file), *program)
    wait_for(reached.exists)
    process.send_signal(number)
    try:
        output = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, *output) == (128 + number, "", "")
    assert list(own_temporary_folder.iterdir()) == []


def test_a_signal_ends_dev_while_the_database_is_locked(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    database = tmp_path / "held.sqlite"
    holding = sqlite3.connect(database, isolation_level=None)
    holding.execute("BEGIN EXCLUSIVE")
    process = run_duvo_unconfigured.start("dev", "--port", "0", "--database", str(database))
    # The lock file is made before the database is opened.
    wait_for((tmp_path / "held.sqlite.lock").exists)
    process.terminate()
    try:
        output = process.communicate(timeout=30)
    finally:
        process.kill()
        holding.close()
    assert (process.returncode, *output) == (143, "", "")


@pytest.mark.long
def test_dev_ends_while_a_tool_blocks_a_thread_and_an_agent_ignores_its_end(
    run_duvo_unconfigured: Command, agents_file: str
) -> None:
    process = started(run_duvo_unconfigured.start("dev", agents_file, "--port", "0"))
    with duvo.Client(profile="local") as client:
        stopped, _ = [client.runs.start("Deaf") for _ in range(2)]
        stopped.stop()
        run = client.runs.start("Slow tool")
        wait_for(lambda: any(message.tool_call for message in run.messages()))
    began = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert time.monotonic() - began < LONGEST_END
    assert process.returncode == 0


@pytest.mark.long
def test_agents_of_files_are_served_without_examples_on_request(
    run_duvo_unconfigured: Command, agents_file: str
) -> None:
    done = run_duvo_unconfigured(
        "dev", agents_file, "--no-examples", "--", DUVO, "agents", "list", "--json"
    )
    names = [agent["name"] for agent in json.loads(done.stdout)["agents"]]
    assert names == ["Mine", "Slow tool", "Deaf"]


@pytest.mark.parametrize(
    ("content", "reason", "traceback"),
    [
        (None, "agents.py", []),
        ("def broken(:", "agents.py", ["    def broken(:"]),
        ("import nowhere_at_all", "nowhere_at_all", ["    import nowhere_at_all"]),
        ("x = 1", "no agent", []),
        ("raise SystemExit(0)", "agents.py", ["    raise SystemExit(0)"]),
        ("raise GeneratorExit", "agents.py", ["    raise GeneratorExit"]),
    ],
)
def test_a_bad_file_of_agents_is_one_line_after_its_traceback(
    content: str | None,
    reason: str,
    traceback: list[str],
    run_duvo_unconfigured: Command,
    tmp_path: Path,
) -> None:
    file = tmp_path / "agents.py"
    if content is not None:
        file.write_text(content)
    done = run_duvo_unconfigured("dev", str(file))
    assert (done.stdout, done.returncode) == ("", 1)
    *before, line = done.stderr.splitlines()
    assert line.startswith("duvo: ")
    assert reason in line
    assert [line for line in before if line in traceback] == traceback
    # The author's frames alone.
    assert sum(line.startswith("  File ") for line in before) == len(traceback)


@pytest.mark.long
def test_a_port_in_use_is_one_line_that_names_it(run_duvo_unconfigured: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_duvo_unconfigured("dev", "--port", str(port))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr
    assert "--port" in done.stderr


@pytest.mark.long
def test_a_second_engine_on_one_database_is_refused(dev: DevProcess) -> None:
    done = dev.command("dev", "--port", "0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_an_unusable_database_is_one_line(run_duvo_unconfigured: Command, tmp_path: Path) -> None:
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"not a database" * 500)
    for database in (str(junk), str(tmp_path / "nowhere" / "x.sqlite"), "mysql://x/y"):
        done = run_duvo_unconfigured("dev", "--database", database)
        assert done.returncode == 1
        assert done.stderr.startswith("duvo: ")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--database", "postgresql://u@/x?host=127.0.0.1&port=9"), "?host=127.0.0.1&port=9: the"),
        (("--database", "host=127.0.0.1 port=nine"), "host/name, or host=…"),
        (("host=x/agents.py",), "duvo: host=x/agents.py: there is no such file"),
    ],
)
def test_what_the_user_wrote_is_shown_as_it_was_written(
    run_duvo_unconfigured: Command, arguments: tuple[str, ...], shown: str
) -> None:
    done = run_duvo_unconfigured("dev", "--port", "0", *arguments)
    assert done.returncode == 1
    assert shown in done.stderr


def test_a_command_of_dev_without_two_dashes_is_recognized(
    run_duvo_unconfigured: Command, agents_file: str
) -> None:
    done = run_duvo_unconfigured("dev", agents_file, "duvo", "runs", "list")
    assert done.stderr == (
        "duvo: 'duvo' is not a Python file; a command goes after --; see `duvo dev --help`\n"
    )


def test_without_the_extra_the_error_says_how_to_install_it(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('dbos', 'starlette', 'uvicorn', 'sqlalchemy'):\n"
        "    sys.modules[name] = None\n"
    )
    for arguments in (("dev",), ("dev", "--", "true")):
        done = run_duvo_unconfigured(*arguments, PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "duvo[local]" in done.stderr


def test_a_program_gets_the_settings_and_no_files_remain(
    run_duvo_unconfigured: Command, own_temporary_folder: Path
) -> None:
    script = 'printf "%s\\n" "$DUVO_API_BASE_URL" "${DUVO_PROFILE-none}"; duvo agents list --json'
    done = run_duvo_unconfigured(
        "dev", "--", "bash", "-c", script, DUVO_PROFILE="work", HTTP_PROXY="http://127.0.0.1:1"
    )
    address, profile, *rest = done.stdout.splitlines()
    assert address.startswith("http://127.0.0.1:")
    assert profile == "none"
    assert json.loads("\n".join(rest))["total"] == 5
    assert list(own_temporary_folder.iterdir()) == []
    assert not Path(os.environ["DUVO_CONFIG_DIR"]).exists()
    assert not Path(os.environ["DUVO_STATE_DIR"]).exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))


@pytest.mark.long
@pytest.mark.parametrize(
    ("program", "code"),
    [
        (["true"], 0),
        (["bash", "-c", "exit 37"], 37),
        (["bash", "-c", "kill -9 $$"], 137),
        (["bash", "-c", "kill -TERM $$"], 143),
        (["no-such-program-anywhere"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_dev_exits_with_the_exit_code_of_the_program(
    program: list[str], code: int, run_duvo_unconfigured: Command, own_temporary_folder: Path
) -> None:
    done = run_duvo_unconfigured("dev", "--", *program)
    assert (done.stdout, done.returncode) == ("", code)
    assert "Traceback" not in done.stderr
    assert list(own_temporary_folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_are_forwarded_to_the_program(
    number: signal.Signals, run_duvo_unconfigured: Command, own_temporary_folder: Path
) -> None:
    script = (
        "import signal, sys\n"
        "for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):\n"
        "    signal.signal(number, lambda got, frame: sys.exit(got + 40))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    process = run_duvo_unconfigured.start("dev", "--", sys.executable, "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (number + 40, "")
    assert list(own_temporary_folder.iterdir()) == []


@pytest.mark.long
def test_everything_after_the_first_dashes_is_the_program(run_duvo_unconfigured: Command) -> None:
    done = run_duvo_unconfigured(
        "dev", "--no-examples", "--", "printf", "%s|", "--json", "--", "-x"
    )
    assert done.stdout == "--json|--|-x|"
    assert run_duvo_unconfigured("dev", "--").returncode == 1


@pytest.mark.long
def test_the_rate_limit_is_enforced(run_duvo_unconfigured: Command) -> None:
    script = (
        "import duvo\n"
        "with duvo.Client(max_retries=0) as client:\n"
        "    for _ in range(3):\n"
        "        print(client.request('GET', '/v2/teams').headers['x-ratelimit-remaining'])\n"
        "    try:\n"
        "        client.request('GET', '/v2/teams')\n"
        "    except duvo.RateLimited as error:\n"
        "        print(error.status, error.retry_after > 0)\n"
    )
    done = run_duvo_unconfigured("dev", "--rate-limit", "3", "--", sys.executable, "-c", script)
    assert done.stdout.splitlines() == ["2", "1", "0", "429 True"], done.stderr


@pytest.mark.parametrize("kept", [False, True])
def test_ctrl_c_in_a_program_of_dev_says_whether_its_run_ends_with_the_engine(
    kept: bool, run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    database = str(tmp_path / "kept.sqlite")
    options = ["--database", database] if kept else []
    start = [DUVO, "runs", "start", "--agent", "Endless worker", "--follow"]
    words = [DUVO, "dev", *options, "--", *start]
    with PseudoTerminal(words, run_duvo_unconfigured.environment, columns=200) as tty:
        tty.expect("Working")
        tty.type("\x03")
        if kept:
            tty.expect(
                "stopped following; run .* continues at the next `duvo dev` on the same database"
            )
        else:
            tty.expect("stopped following; run .* ends with the temporary engine of `duvo dev`")
        assert tty.end() == 130
        assert "runs messages" not in tty.shown
    shown = run_duvo_unconfigured("dev", *options, "--", DUVO, "runs", "list", "-q")
    assert len(shown.stdout.split()) == kept
