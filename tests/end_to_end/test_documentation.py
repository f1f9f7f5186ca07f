"""The commands and programs of the README and the docs run as they are written."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import duvo
from duvo import profiles
from duvo.local import Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The programs of these pages need a web server, a chat, a notebook or pytest: test_async_docs.py,
# test_notebook.py, test_recipe_chat.py, test_testing_kit.py and test_tutorial.py run them.
WITHOUT_SCRIPTS = ("async.md", "notebooks.md", "recipes.md", "testing-agents.md", "tutorial.md")
# Its commands belong together: test_tutorial.py runs them in order.
WITHOUT_COMMANDS = ("tutorial.md",)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Iterator[object]:
    """Yield the blocks in a language, named by page and line."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            if found[1] == language and page.name not in WITHOUT_SCRIPTS:
                line = text.count("\n", 0, found.start()) + 1
                yield pytest.param(found[2], id=f"{page.name}:{line}")


def commands() -> Iterator[object]:
    """Yield the commands of the console blocks, named by page and line."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            if found[1] == "console" and page.name not in WITHOUT_COMMANDS:
                first = text.count("\n", 0, found.start()) + 2
                for number, line in enumerate(found[2].splitlines(), first):
                    if line.startswith("$ "):
                        yield pytest.param(line[2:], id=f"{page.name}:{number}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    """An engine with the example agents."""
    with Server(port=0) as server:
        yield server


@pytest.fixture
def environment(engine: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with the engine's settings, the profile `local` and an empty home."""
    monkeypatch.setenv("DUVO_API_KEY", engine.api_key)
    monkeypatch.setenv("DUVO_API_BASE_URL", engine.base_url)
    monkeypatch.setenv("HOME", str(tmp_path))
    profiles.add("local", engine.api_key, engine.base_url)
    return dict(os.environ)


def waiting_run(engine: Server) -> str:
    with duvo.Client(api_key=engine.api_key, base_url=engine.base_url) as client:
        run = client.runs.start("Invoice approver")
        with pytest.raises(duvo.HumanRequestPending):
            run.wait(timeout=30, on_request="raise")
        return run.id


@pytest.mark.parametrize("program", list(blocks("python")))
def test_a_program_of_the_docs_runs(
    program: str, environment: dict[str, str], tmp_path: Path, engine: Server
) -> None:
    if "run.messages(follow=True)" in program and "Talker" not in program:
        assert "respond" in program, "it would wait for a reply that nobody gives"
    for file in re.findall(r'"(\w+\.py)"', program):
        (tmp_path / file).write_text(source_of(file))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("command", list(commands()))
def test_a_command_of_the_docs_runs(
    command: str, environment: dict[str, str], tmp_path: Path, engine: Server
) -> None:
    if "-m pytest" in command:
        assert command.rpartition(" && ")[2] in (ROOT / ".ci" / "run").read_text().splitlines()
        return
    if re.search(r"\bRUN\b", command):
        command = re.sub(r"\bRUN\b", waiting_run(engine), command)
    for file in re.findall(r"\b\w+\.py\b", command):
        (tmp_path / file).write_text(source_of(file))
    for file in re.findall(r"'file:(\w+\.sqlite)\?", command):
        # test_engine_backup.py runs it on the database of an engine at work.
        sqlite3.connect(tmp_path / file).close()
    for file in re.findall(r"--input (\w+\.csv)\b", command):
        (tmp_path / file).write_text(rows_of(file))
    # The package is installed here already, in the version under test.
    shell = f'python() {{ [ "$2" = pip ] || command python "$@"; }}\n{command}'
    shell = shell.replace("-m venv", "-m venv --without-pip")
    shell = re.sub(r"duvo (serve|dev)(?! --( |$))", r"duvo \1 --port 0", shell)
    if runs_until_interrupted(command):
        start_and_interrupt(shell, environment, tmp_path)
        return
    if command.endswith(" --follow"):
        shell += " --on-request approve --timeout 30"
    done = subprocess.run(
        ["bash", "-c", shell],
        env=environment,
        cwd=tmp_path,
        input=f"{engine.api_key}\n",
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr


def source_of(file: str) -> str:
    """Return the program whose agent has the name of the file."""
    name = Path(file).stem
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if found[1] == "python" and f"def {name}(" in found[2]:
                return found[2]
    raise AssertionError(f"no page has the agent {name}")


def rows_of(file: str) -> str:
    """Return the rows on the page that names the file."""
    for page in PAGES:
        for found in BLOCK.finditer(text := page.read_text(encoding="utf-8")):
            if found[1] == "csv" and f"`{file}`" in text:
                return found[2]
    raise AssertionError(f"no page has the rows of {file}")


def runs_until_interrupted(command: str) -> bool:
    """Whether the command runs until it is interrupted."""
    if "duvo serve" in command:
        return True
    return command.startswith("duvo dev") and " -- " not in command and "--help" not in command


def start_and_interrupt(shell: str, environment: dict[str, str], folder: Path) -> None:
    process = subprocess.Popen(
        ["bash", "-c", shell],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = ""
    try:
        deadline = time.monotonic() + 30
        while "http://127.0.0.1" not in output and time.monotonic() < deadline:
            output += process.stdout.readline()
        assert "http://127.0.0.1" in output
    finally:
        # Of the whole group, as Ctrl-C; a shell's background would ignore SIGINT.
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert "Traceback" not in output + rest
