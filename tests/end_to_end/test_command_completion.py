"""Completion: words from the API, and their use in bash."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duvo_cli.commands import complete
from tests.servers.fake_api import KEY, TEAM, FakeAPI
from tests.support.command import Command

GIVING_UP_AND_A_START = 20
"""Seconds that are enough on a busy machine; a command that does not give up takes more."""

PATIENT = """#!{python}
import sys
from duvo_cli.__main__ import main
from duvo_cli.commands import complete

complete.TIME_LIMIT = 60.0
sys.exit(main())
"""
"""A command `duvo` that does not give up, however busy the machine is."""

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

    def offers(self, *words: str, **settings: str) -> list[str]:
        """The completions of the last word."""
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
def patient(tmp_path: Path) -> Callable[[Command], Command]:
    """Makes a command whose `duvo` in the path completes without a limit of time."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "duvo").write_text(PATIENT.format(python=sys.executable))
    (folder / "duvo").chmod(0o755)

    def patient(command: Command) -> Command:
        path = os.pathsep.join([str(folder), command.environment["PATH"]])
        return Command({**command.settings, "PATH": path})

    return patient


@pytest.fixture
def bash(
    run_duvo_with_fake_api: Command, patient: Callable[[Command], Command], tmp_path: Path
) -> Bash:
    """A bash whose completion asks the fake API."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    made = run_duvo_with_fake_api("completion", "bash")
    assert (made.returncode, made.stderr) == (0, "")
    script = tmp_path / "duvo.bash"
    script.write_text(made.stdout)
    return Bash(patient(run_duvo_with_fake_api), script)


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
    """The output of `duvo complete`, by the `duvo` in the path of the command."""
    done = subprocess.run(
        ["duvo", "complete", *arguments],
        env=command.environment,
        executable=shutil.which("duvo", path=command.environment["PATH"]),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def agents_called(*names: str) -> list[dict[str, str]]:
    return [{"id": str(uuid.uuid4()), "name": name} for name in names]


def test_complete_prints_the_newest_fifty_runs_with_agent_and_status(
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    patient: Callable[[Command], Command],
) -> None:
    runs = [fake_api.start() for _ in range(60)]
    printed = words_of(patient(run_duvo_with_fake_api), "runs").splitlines()
    assert printed == [f"{run_id}\tInvoice approver, running" for run_id in runs[:-51:-1]]


def test_complete_describes_a_run_without_an_agents_name_by_its_status(
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    patient: Callable[[Command], Command],
) -> None:
    run_id = fake_api.start(agent_name=None)
    assert words_of(patient(run_duvo_with_fake_api), "runs") == f"{run_id}\trunning\n"


def test_complete_prints_agent_names_that_fit_a_line(
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    patient: Callable[[Command], Command],
) -> None:
    fake_api.agents = agents_called(
        "Invoice approver", "Účetní", "a\nb", "\x1b[31mred", "", "Invoice approver"
    )
    assert words_of(patient(run_duvo_with_fake_api), "agents") == "Invoice approver\nÚčetní\n"


def test_complete_uses_the_settings_on_the_line(
    fake_api: FakeAPI,
    run_duvo_unconfigured: Command,
    patient: Callable[[Command], Command],
) -> None:
    run_id = fake_api.start()
    add = ("profiles", "add", "--base-url", fake_api.base_url, "--team", TEAM)
    run_duvo_unconfigured(*add, "work", input=KEY)
    run_duvo_unconfigured(
        "profiles", "add", "other", "--no-check", "--default", input="another-key"
    )
    assert run_duvo_unconfigured("complete", "runs").stdout == ""
    line = "duvo --profile work runs get "
    command = patient(run_duvo_unconfigured)
    assert words_of(command, "runs", line).split("\t")[0] == run_id
    assert words_of(command, "profiles") == "work\nother\n"


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
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    patient: Callable[[Command], Command],
    answer: tuple[int, object],
) -> None:
    fake_api.before = lambda seen: answer
    assert words_of(patient(run_duvo_with_fake_api), "runs") == ""
    assert len(fake_api.requests) == 1


def test_complete_prints_nothing_with_a_damaged_profile_file(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    (tmp_path / "profiles.toml").write_text("[[[")
    for kind in ("runs", "profiles"):
        done = run_duvo_unconfigured("complete", kind, DUVO_CONFIG_DIR=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_complete_gives_up_within_a_second() -> None:
    assert complete.TIME_LIMIT < 1


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
    assert bash.offers("duvo", "complete") == []


@pytest.mark.parametrize(
    "command", ["get", "messages", "wait", "watch", "send-message", "stop", "get --json"]
)
def test_bash_offers_ids_of_runs(fake_api: FakeAPI, bash: Bash, command: str) -> None:
    runs = [fake_api.start() for _ in range(3)]
    assert bash.offers("duvo", "runs", *command.split(), "") == runs[::-1]
    assert bash.offers("duvo", "runs", *command.split(), runs[1][:13]) == [runs[1]]


def test_bash_offers_the_second_of_several_runs(fake_api: FakeAPI, bash: Bash) -> None:
    runs = [fake_api.start() for _ in range(3)]
    assert bash.offers("duvo", "runs", "watch", runs[0], runs[1][:13]) == [runs[1]]


@pytest.mark.long
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
    assert bash.offers("duvo", *before.split(), typed) == offered


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
    assert bash.offers("duvo", "runs", "get", "", DUVO_API_BASE_URL=nowhere) == []


@pytest.mark.long
def test_bash_offers_the_runs_for_which_a_command_can_do_something(
    fake_api: FakeAPI, bash: Bash
) -> None:
    waiting, running, done = (
        fake_api.start(status) for status in ("waiting", "running", "completed")
    )
    assert bash.offers("duvo", "runs", "respond", "") == [waiting]
    assert bash.offers("duvo", "runs", "stop", "") == [running, waiting]
    assert bash.offers("duvo", "runs", "wait", "") == [running, waiting]
    assert bash.offers("duvo", "runs", "get", "") == [done, running, waiting]


def test_bash_offers_the_words_of_options(bash: Bash) -> None:
    assert bash.offers("duvo", "runs", "list", "--status", "f") == ["failed"]
    assert bash.offers("duvo", "runs", "list", "--status", "=", "f") == ["failed"]
    assert bash.offers("duvo", "runs", "start", "--on-request", "=", "a") == ["ask", "approve"]


def test_bash_completes_the_last_of_several_statuses(bash: Bash) -> None:
    for words in (["--status"], ["--status", "="]):
        offered = bash.offers("duvo", "runs", "list", *words, "failed,s")
        assert offered == ["failed,stopped"]
    assert "failed,waiting" in bash.offers("duvo", "runs", "list", "--status", "failed,")


def test_bash_offers_nothing_behind_an_unknown_command(bash: Bash) -> None:
    assert bash.offers("duvo", "xyz", "") == []
    assert bash.offers("duvo", "runs", "xyz", "") == []
    assert "start" in bash.offers("duvo", "runs", "--json", "")
    assert "runs" in bash.offers("duvo", "--json", "")


def test_bash_offers_the_commands_of_a_group_as_topics_of_help(bash: Bash) -> None:
    assert "runs" in bash.offers("duvo", "help", "")
    assert bash.offers("duvo", "help", "runs", "st") == ["start", "start-many", "stop"]
    assert bash.offers("duvo", "help", "environment", "") == []
    assert bash.offers("duvo", "help", "runs", "start", "") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--agent", "=", ""], ["Invoice\\ approver", "Team:\\ Other"]),
        (["--agent", "=", "Inv"], ["Invoice\\ approver"]),
        # Bash replaces what follows the colon.
        (["--agent", "Team", ":"], ["\\ Other"]),
        (["--agent", "Team", ":", "\\ O"], ["\\ Other"]),
        (["--agent", "=", "Team", ":", "\\ O"], ["\\ Other"]),
        (["--agent", '"Team: O'], ["Team: Other"]),
    ],
)
def test_bash_completes_values_after_an_equals_sign_and_names_with_a_colon(
    fake_api: FakeAPI, bash: Bash, words: list[str], offered: list[str]
) -> None:
    fake_api.agents = agents_called("Invoice approver", "Team: Other")
    assert bash.offers("duvo", "runs", "start", *words) == offered


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_offers_runs_with_their_agent_and_status(
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    patient: Callable[[Command], Command],
    tmp_path: Path,
) -> None:
    settings = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    installed = run_duvo_with_fake_api("completion", "fish", "--install", **settings)
    assert str(tmp_path / "fish" / "completions" / "duvo.fish") in installed.stdout
    waiting, _ = fake_api.start("waiting"), fake_api.start()

    def offered(line: str) -> list[str]:
        command = ["fish", "-c", 'complete -C "$argv"', line]
        environment = {**patient(run_duvo_with_fake_api).environment, **settings}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.stdout.splitlines()

    line = f"{waiting}\tInvoice approver, waiting"
    assert offered("duvo runs respond ") == [line]
    (name,) = offered("duvo runs start --agent=Inv")
    assert name.split("\t")[0] == "--agent=Invoice approver"
    statuses = [line.split("\t")[0] for line in offered("duvo runs list --status ")]
    assert "failed" in statuses


@pytest.mark.parametrize(
    ("shell", "variable", "place"),
    [
        ("bash", "XDG_DATA_HOME", "bash-completion/completions/duvo"),
        ("zsh", "XDG_DATA_HOME", "zsh/site-functions/_duvo"),
        ("fish", "XDG_CONFIG_HOME", "fish/completions/duvo.fish"),
    ],
)
def test_a_script_is_installed_where_its_shell_looks(
    shell: str, variable: str, place: str, run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    printed = run_duvo_unconfigured("completion", shell)
    done = run_duvo_unconfigured("completion", shell, "--install", **{variable: str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / place) in done.stdout
    if shell == "bash":
        assert f"`. {tmp_path / place}`" in done.stdout
    assert (tmp_path / place).read_text() == printed.stdout
    (tmp_path / "file").touch()
    blocked = {variable: str(tmp_path / "file")}
    refused = run_duvo_unconfigured("completion", shell, "--install", **blocked)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
