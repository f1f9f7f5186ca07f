"""Files of agents, served by the installed command."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.serve_process import ServeProcess
from tests.support.command import DUVO, Command

PACKAGE = {
    "__init__.py": "",
    "near.py": "NAME = 'relative'\n",
    "agents.py": """
from duvo.local import agent
from .near import NAME

@agent("One")
async def main(run):
    await run.say("lost?")

@agent("Both")
async def main(run):
    import near
    await run.say(f"{NAME}, {near.NAME}")
""",
}

SPAWNING = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from duvo.local import agent

def shout(text):
    from helper import SUFFIX
    return text.upper() + SUFFIX

def in_a_process(text):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(shout, text).result()

@agent("Spawning")
async def spawning(run):
    await run.say(await run.tool("shout", {"text": "loud"}, in_a_process))
"""


@pytest.mark.long
def test_agents_find_their_neighbours_in_packages_and_in_spawned_processes(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    package, plain, other = (tmp_path / name for name in ("package", "plain", "other"))
    for folder in (package, plain, other):
        folder.mkdir()
    for name, text in PACKAGE.items():
        (package / name).write_text(text)
    (plain / "agents.py").write_text(SPAWNING)
    (plain / "helper.py").write_text("SUFFIX = '!'\n")
    # Of the same names. Spawned processes know those of the first.
    (other / "agents.py").write_text(SPAWNING.replace("Spawning", "Second"))
    (other / "helper.py").write_text("SUFFIX = '?'\n")
    start = f"{DUVO} runs start --wait --agent"
    done = run_duvo_unconfigured(
        "dev", *(str(folder / "agents.py") for folder in (plain, package, other)),
        "--no-examples",
        "--", "bash", "-c", f"{start} Spawning; {start} Both; {start} One",
    )  # fmt: skip
    assert done.stdout.splitlines() == ["LOUD!", "relative, relative", "lost?"], done.stderr


def test_two_agents_of_one_name_are_one_line_with_both_places(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    file = tmp_path / "agents.py"
    one = "@agent('One')\nasync def main(run): ...\n"
    file.write_text(f"from duvo.local import agent\n{one}{one}")
    done = run_duvo_unconfigured("dev", str(file))
    assert (done.stdout, done.returncode) == ("", 1)
    (line,) = done.stderr.splitlines()
    assert f"{file}, line 2" in line
    assert f"{file}, line 4" in line


PRINTING = """
import os, subprocess, sys
from duvo.local import agent

print("while loading")

def run_a_program():
    subprocess.run(["echo", "by a program"], check=True)
    os.write(1, b"by the descriptor\\n")

@agent("Printing")
async def printing(run):
    print("by the agent")
    await run.tool("echo", {}, run_a_program)
    await run.say("answer")
"""

PRINTED = {"while loading", "by the agent", "by a program", "by the descriptor"}


@pytest.mark.long
def test_what_agents_print_is_not_in_the_output_of_the_program(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    file = tmp_path / "agents.py"
    file.write_text(PRINTING)
    start = [DUVO, "runs", "start", "--agent", "Printing", "--wait"]
    done = run_duvo_unconfigured("dev", str(file), "--", *start)
    assert done.stdout == "answer\n"
    assert set(done.stderr.splitlines()) >= PRINTED


@pytest.mark.long
def test_what_agents_print_while_serving_goes_to_stderr_at_once(
    tmp_path: Path, serve: Callable[..., ServeProcess]
) -> None:
    file = tmp_path / "printing.py"
    file.write_text(PRINTING)
    server = serve(str(file))
    run_id = server.api().start("Printing")
    server.api().wait_for_end(run_id)
    lines = {server.next_error_line().strip() for _ in PRINTED}
    assert lines == PRINTED
    code, _ = server.end()  # nothing more on stdout
    assert code == 0


IN_A_PROGRAM = """
import sys
import duvo
from duvo.local import Server, load_agents

with Server(load_agents(sys.argv[1]), port=0) as server:
    client = duvo.Client(server.api_key, server.base_url, server.team_id)
    client.runs.start("Printing").wait(timeout=30)
"""


@pytest.mark.long
def test_agents_of_a_server_in_a_program_print_to_the_stdout_of_the_program(
    tmp_path: Path,
) -> None:
    file = tmp_path / "agents.py"
    file.write_text(PRINTING)
    command = [sys.executable, "-c", IN_A_PROGRAM, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == PRINTED


FAILING = """
from concurrent.futures import ThreadPoolExecutor
from duvo.local import agent

def total(lines):
    return sum(line["amount"] for line in lines)

@agent("Function")
async def function(run):
    total([{}])

@agent("Tool")
async def tool(run):
    await run.tool("total", {"lines": [{}]}, total)

@agent("Chain")
async def chain(run):
    try:
        import broken
    except ValueError as error:
        raise LookupError("no luck") from error

@agent("Exit")
async def leave(run):
    raise SystemExit("no more")
"""


@pytest.mark.long
def test_an_agents_failure_reaches_its_author_whole(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    file = tmp_path / "agents.py"
    file.write_text(FAILING)
    (tmp_path / "broken.py").write_text("int('x')\n")
    names = "Function Tool Chain Exit"
    script = f"for agent in {names}; do {DUVO} runs start --agent $agent --wait 2>&1; done"
    done = run_duvo_unconfigured("dev", str(file), "--no-examples", "--", "bash", "-c", script)
    reasons = [line.partition(" failed: ")[2] for line in done.stdout.splitlines()]
    assert reasons == [
        "KeyError: 'amount' (agents.py:6)",
        "ToolFailed: tool 'total' failed: KeyError: 'amount' (agents.py:6)",
        "LookupError: no luck (agents.py:21)",
        "RuntimeError: the agent raised SystemExit: no more (agents.py:25)",
    ]
    for reason in reasons:
        assert re.search(rf" failed after [\d.]+ s: {re.escape(reason)}\n", done.stderr)
    for line in (
        f'  File "{file}", line 10, in function\n    total([{{}}])',
        f'  File "{file}", line 14, in tool\n    await run.tool(',
        f'  File "{file}", line 6, in total\n    return sum(',
        f'  File "{file}", line 19, in chain\n    import broken',
        f'  File "{tmp_path / "broken.py"}", line 1, in <module>\n    int(',
        "ValueError: invalid literal for int()",
        "The above exception was the direct cause of the following exception:",
        f'  File "{file}", line 25, in leave\n    raise SystemExit("no more")',
    ):
        assert line in done.stderr
    files = {line.split('"')[1] for line in done.stderr.splitlines() if line.startswith("  File ")}
    assert files == {str(file), str(tmp_path / "broken.py")}
