"""Completion: words from the API, and their use in bash."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.fake_api import KEY, TEAM, FakeAPI
from tests.support.command import Command

GIVING_UP_AND_A_START = 2.5
"""Seconds: 1 until the command gives up, and time for Python to start on a busy machine."""

ATTEMPTS = 20
"""Most attempts where words are expected: on a busy machine the command may give up."""

DRIVE = """
source "$SCRIPT"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
function_of=$(complete -p duvo)
function_of=${function_of##*-F }
"${function_of%% *}" duvo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Bash:
    """A bash with the completion script.

    Args:
        command: its environment.
        script: the file of the script.
    """

    def __init__(self, command: Command, script: Path):
        self._environment = {**command.environment, "SCRIPT": str(script)}

    def offers(self, *words: str) -> list[str]:
        """The completions of the last word, of which there are some."""
        for _ in range(ATTEMPTS):
            if offered := self.offers_once(*words):
                return offered
        return []

    def offers_once(self, *words: str, **settings: str) -> list[str]:
        """The completions of the last word, if any."""
        done = subprocess.run(
            ["bash", "--norc", "-c", DRIVE, "bash", *words],
            env={**self._environment, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []


@pytest.fixture
def bash(run_duvo_with_fake_api: Command, tmp_path: Path) -> Bash:
    """A bash whose completion asks the fake API."""
    pytest.importorskip("shtab")
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    made = run_duvo_with_fake_api("completion", "bash")
    assert (made.returncode, made.stderr) == (0, "")
    script = tmp_path / "duvo.bash"
    script.write_text(made.stdout)
    return Bash(run_duvo_with_fake_api, script)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def trickling_server() -> Iterator[str]:
    """The address of a server whose response comes byte by byte and never ends."""
    over = threading.Event()

    def trickle(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not over.wait(0.1):
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        thread = threading.Thread(target=trickle, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join()


def words_of(command: Command, *arguments: str) -> str:
    """The output of `duvo complete`, which is expected to print something."""
    for _ in range(ATTEMPTS):
        done = command("complete", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        if done.stdout:
            return done.stdout
    return ""


def agents_called(*names: str) -> list[dict[str, str]]:
    return [{"id": str(uuid.uuid4()), "name": name} for name in names]


def test_complete_prints_the_newest_fifty_runs(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    runs = [fake_api.start() for _ in range(60)]
    assert words_of(run_duvo_with_fake_api, "runs").splitlines() == runs[:-51:-1]


def test_complete_prints_agent_names_that_fit_a_line(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    fake_api.agents = agents_called(
        "Invoice approver", "Účetní", "a\nb", "\x1b[31mred", "", "Invoice approver"
    )
    assert words_of(run_duvo_with_fake_api, "agents") == "Invoice approver\nÚčetní\n"


def test_complete_uses_the_settings_on_the_line(
    fake_api: FakeAPI, run_duvo_unconfigured: Command
) -> None:
    run_id = fake_api.start()
    add = ("profiles", "add", "--base-url", fake_api.base_url, "--team", TEAM)
    run_duvo_unconfigured(*add, "work", input=KEY)
    run_duvo_unconfigured(
        "profiles", "add", "other", "--no-check", "--default", input="another-key"
    )
    assert run_duvo_unconfigured("complete", "runs").stdout == ""
    line = "duvo --profile work runs get "
    assert words_of(run_duvo_unconfigured, "runs", line) == f"{run_id}\n"
    assert words_of(run_duvo_unconfigured, "profiles") == "work\nother\n"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": "http://127.0.0.1:9", "DUVO_DEBUG": "1"},
        {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": "nonsense"},
        {"DUVO_API_KEY": "not\nascii ž"},
        {"DUVO_PROFILE": "missing"},
        {"DUVO_CONFIG_DIR": "/dev/null/nowhere"},
    ],
)
@pytest.mark.parametrize("arguments", ["runs", "agents", "profiles", "", "nonsense", "runs a b"])
def test_complete_prints_nothing_on_failure(
    arguments: str, settings: dict[str, str], run_duvo_unconfigured: Command
) -> None:
    done = run_duvo_unconfigured("complete", *arguments.split(), **settings)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "answer", [(401, {"error": "unauthorized"}), (500, b"<html>"), (200, b"<html>"), (200, [])]
)
def test_complete_prints_nothing_and_does_not_retry_after_an_error_response(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, answer: tuple[int, object]
) -> None:
    fake_api.before = lambda seen: answer
    for _ in range(ATTEMPTS):
        if not fake_api.requests:
            done = run_duvo_with_fake_api("complete", "runs")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(fake_api.requests) == 1


def test_complete_prints_nothing_with_a_damaged_profile_file(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    (tmp_path / "profiles.toml").write_text("[[[")
    for kind in ("runs", "profiles"):
        done = run_duvo_unconfigured("complete", kind, DUVO_CONFIG_DIR=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_complete_gives_up_on_a_silent_server(
    silent_server: str, run_duvo_unconfigured: Command
) -> None:
    begun = time.monotonic()
    done = run_duvo_unconfigured(
        "complete", "runs", DUVO_API_KEY=KEY, DUVO_API_BASE_URL=silent_server
    )
    assert time.monotonic() - begun < GIVING_UP_AND_A_START
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_complete_gives_up_on_a_trickling_server(
    trickling_server: str, run_duvo_unconfigured: Command
) -> None:
    begun = time.monotonic()
    done = run_duvo_unconfigured(
        "complete", "runs", DUVO_API_KEY=KEY, DUVO_API_BASE_URL=trickling_server
    )
    assert time.monotonic() - begun < GIVING_UP_AND_A_START
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_complete_gives_up_on_a_profile_file_that_blocks(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "profiles.toml")
    begun = time.monotonic()
    done = run_duvo_unconfigured("complete", "profiles", DUVO_CONFIG_DIR=str(tmp_path))
    assert time.monotonic() - begun < GIVING_UP_AND_A_START
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bash_offers_commands_options_and_words(bash: Bash) -> None:
    assert bash.offers("duvo", "ru") == ["runs"]
    assert bash.offers("duvo", "runs", "g") == ["get"]
    assert bash.offers("duvo", "--profile", "x", "runs", "st") == ["start", "start-many", "stop"]
    assert bash.offers("duvo", "runs", "start", "--fo") == ["--follow"]
    assert bash.offers("duvo", "runs", "start", "--on-request", "a") == ["ask", "approve"]
    assert bash.offers("duvo", "completion", "z") == ["zsh"]
    assert bash.offers("duvo", "help", "exit") == ["exit-codes"]
    assert bash.offers_once("duvo", "complete") == []


@pytest.mark.parametrize(
    "command", ["get", "messages", "wait", "watch", "send-message", "respond", "stop", "get --json"]
)
def test_bash_offers_ids_of_runs(fake_api: FakeAPI, bash: Bash, command: str) -> None:
    runs = [fake_api.start() for _ in range(3)]
    assert bash.offers("duvo", "runs", *command.split(), "") == runs[::-1]
    assert bash.offers("duvo", "runs", *command.split(), runs[1][:13]) == [runs[1]]


def test_bash_offers_the_second_of_several_runs(fake_api: FakeAPI, bash: Bash) -> None:
    runs = [fake_api.start() for _ in range(3)]
    assert bash.offers("duvo", "runs", "watch", runs[0], runs[1][:13]) == [runs[1]]


@pytest.mark.parametrize(
    "before",
    [
        "runs start --agent",
        "runs start-many --agent",
        "runs watch --agent",
        "runs inbox --agent",
        "runs respond --all-pending --agent",
        "runs list --agent",
        "agents get",
    ],
)
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("Inv", ["Invoice\\ approver"]),
        ("Invoice\\ a", ["Invoice\\ approver"]),
        ('"Inv', ["Invoice approver"]),
        ("'Inv", ["Invoice approver"]),
        ("$", ["\\$\\(touch\\ pwned\\)\\'\\;\\ x"]),
        ("\\$", ["\\$\\(touch\\ pwned\\)\\'\\;\\ x"]),
        ('"$', []),
    ],
)
def test_bash_quotes_the_names_of_agents(
    fake_api: FakeAPI, bash: Bash, before: str, typed: str, offered: list[str]
) -> None:
    fake_api.agents = agents_called("Invoice approver", "$(touch pwned)'; x", "Other")
    offers = bash.offers if offered else bash.offers_once
    assert offers("duvo", *before.split(), typed) == offered


def test_bash_offers_profiles_and_files(
    bash: Bash, tmp_path: Path, run_duvo_unconfigured: Command
) -> None:
    run_duvo_unconfigured("profiles", "add", "work", "--no-check", input=KEY)
    assert bash.offers("duvo", "--profile", "w") == ["work"]
    assert bash.offers("duvo", "profiles", "use", "") == ["work"]
    (tmp_path / "agents.py").touch()
    for words in (
        ["dev"],
        ["dev", "--database"],
        ["api", "--input"],
        ["runs", "start-many", "--input"],
        ["runs", "start-many", "--output"],
    ):
        assert bash.offers("duvo", *words, f"{tmp_path}/ag") == [f"{tmp_path}/agents.py"]


def test_bash_offers_nothing_when_the_api_fails(bash: Bash) -> None:
    nowhere = "http://127.0.0.1:9"
    assert bash.offers_once("duvo", "runs", "get", "", DUVO_API_BASE_URL=nowhere) == []


def test_without_the_extra_completion_says_how_to_install_it(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    (tmp_path / "shtab.py").write_text("raise ImportError('not here')")
    done = run_duvo_unconfigured("completion", "bash", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "duvo[completion]"' in done.stderr
