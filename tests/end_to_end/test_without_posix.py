"""The SDK and the command on a Python without the parts that only POSIX has, as on Windows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.fake_api import KEY, TEAM, FakeAPI
from tests.servers.serve_process import running_serve
from tests.support.command import DUVO, Command
from tests.support.pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).parents[2]
PRELUDE = ROOT / "tests" / "support" / "without_posix"

IMPORT_ALL = """
import importlib, os, pkgutil, select, signal, sys
assert not (hasattr(os, "fork") or hasattr(select, "poll") or hasattr(signal, "SIGHUP"))
assert sys.modules["fcntl"] is None
names = []
for package in ("duvo", "duvo_cli"):
    folder = importlib.import_module(package).__path__
    for found in pkgutil.walk_packages(folder, f"{package}."):
        if found.name != "duvo.__main__":  # runs the command
            importlib.import_module(found.name)
            names.append(found.name)
print(len(names))
"""

USE_THE_SDK = """
import sys
import duvo
from duvo import profiles
profiles.add("work", *sys.argv[1:])
with duvo.Client(profile="work") as client:
    run = client.runs.start("Invoice approver", "Process INV-1042")
    for message in run.messages(follow=True):
        print(message.content)
        if message.role == "user":
            run.stop()
    print(run.status)
    print([listed.id for listed in client.runs.list()] == [run.id])
"""


@pytest.fixture
def run_duvo_without_posix(run_duvo_with_fake_api: Command) -> Command:
    """The command on such a Python, with the settings of the fake API."""
    return Command({**run_duvo_with_fake_api.settings, "PYTHONPATH": str(PRELUDE)})


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(PRELUDE)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.long
def test_every_module_can_be_imported_without_posix() -> None:
    done = python(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    modules = [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py")]
    # All but the two packages themselves and the module that runs the command.
    assert int(done.stdout) == len(modules) - 3


def test_the_sdk_starts_follows_and_lists_without_posix(fake_api: FakeAPI) -> None:
    done = python(USE_THE_SDK, KEY, fake_api.base_url, TEAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["Process INV-1042", "stopped", "True"]


def test_the_command_starts_follows_and_lists_without_posix(
    run_duvo_without_posix: Command, fake_api: FakeAPI
) -> None:
    start = ["runs", "start", "--agent", "Invoice approver", "--message", "Process INV-1042"]
    started = run_duvo_without_posix(*start, "-q")
    assert (started.returncode, started.stderr) == (0, "")
    run_id = started.stdout.strip()
    fake_api.say(run_id, "INV-1042 is posted.")
    fake_api.end(run_id)
    followed = run_duvo_without_posix("runs", "messages", run_id, "--follow", "--timeout", "20")
    assert followed.returncode == 0, followed.stderr
    assert re.fullmatch(rf"duvo: run {run_id} completed after \d+ ms\n", followed.stderr)
    assert "INV-1042 is posted." in followed.stdout
    listed = run_duvo_without_posix("runs", "list", "-q")
    assert (listed.stdout, listed.stderr) == (f"{run_id}\n", "")


def test_a_batch_is_read_from_stdin_and_written_as_csv_without_posix(
    run_duvo_without_posix: Command, fake_api: FakeAPI, tmp_path: Path
) -> None:
    fake_api.after = lambda seen: [fake_api.end(run) for run in fake_api.runs] and None
    output = tmp_path / "results.csv"
    done = run_duvo_without_posix(
        *("runs", "start-many", "--agent", "Invoice approver", "--input", "-"),
        *("--journal", str(tmp_path / "batch.journal"), "--output", str(output)),
        input="invoice\nINV-1042\nINV-1043\n",
    )
    assert done.returncode == 0, done.stderr
    rows = output.read_bytes().decode().split("\n")
    assert [row.split(",")[:2] for row in rows[:3]] == [
        ["invoice", "status"],
        ["INV-1042", "completed"],
        ["INV-1043", "completed"],
    ]


def test_profiles_are_locked_by_msvcrt_without_fcntl(
    run_duvo_without_posix: Command, tmp_path: Path
) -> None:
    notes = tmp_path / "locks"
    add = ["profiles", "add", "work", "--no-check"]
    done = run_duvo_without_posix(*add, input=f"{KEY}\n", LOCKS_NOTED_IN=str(notes))
    assert done.returncode == 0, done.stderr
    assert notes.read_text() == "1 1\n"
    assert "work" in run_duvo_without_posix("profiles", "list").stdout


def test_a_reply_is_typed_where_a_terminal_cannot_be_polled(
    run_duvo_without_posix: Command, fake_api: FakeAPI
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    command = [DUVO, "runs", "wait", run_id, "--timeout", "30"]
    with PseudoTerminal(command, run_duvo_without_posix.environment) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        tty.type("perhaps\n")
        tty.expect("type y to approve or n to deny")
        tty.type("y\n")
        tty.expect("approved")
        fake_api.end(run_id)
        assert tty.end() == 0


@pytest.mark.long
def test_a_prompt_ends_when_the_time_is_up_where_a_terminal_cannot_be_polled(
    run_duvo_without_posix: Command, fake_api: FakeAPI
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    for seconds in ("1", "5", "20"):  # a busy machine may need the first to read the run
        command = [DUVO, "runs", "wait", run_id, "--timeout", seconds]
        with PseudoTerminal(command, run_duvo_without_posix.environment) as tty:
            assert tty.end(60) == 124
        if "Approve?" in tty.seen:
            break
    assert re.search(r"(?s)Approve\? \[y/n\] .*the time is up", tty.seen), tty.seen


@pytest.mark.long
def test_a_prompt_ends_after_another_reply_where_a_terminal_cannot_be_polled(
    run_duvo_without_posix: Command, fake_api: FakeAPI
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    command = [DUVO, "runs", "wait", run_id, "--timeout", "30"]
    with PseudoTerminal(command, run_duvo_without_posix.environment) as tty:
        tty.expect(r"Approve\? \[y/n\] ")
        fake_api.end(run_id)
        tty.expect("the request was answered elsewhere")
        assert tty.end() == 0


@pytest.mark.long
def test_the_engine_serves_until_it_is_ended_without_posix(
    run_duvo_without_posix: Command, keys_file: Path, agents_to_serve: str
) -> None:
    # On Windows, the mode of a file does not say who may read it.
    keys_file.chmod(0o644)
    arguments = [agents_to_serve, "--keys-file", str(keys_file), "--port", "0"]
    with running_serve(run_duvo_without_posix, *arguments) as served:
        run_id = served.api().start("Greeter", "world")
        served.api().wait_for_text(run_id, "Hello, world")
        assert served.end()[0] == 0


@pytest.mark.long
def test_a_program_runs_against_a_temporary_engine_without_posix(
    run_duvo_without_posix: Command,
) -> None:
    start = ["duvo", "runs", "start", "--agent", "Invoice approver", "--follow"]
    done = run_duvo_without_posix("dev", "--", *start, "--on-request", "approve")
    assert done.returncode == 0, done.stderr
    assert "is posted" in done.stdout
