"""The testing kit in pytest sessions of its own: an engine lasts as long as the session."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests" / "testing_kit").glob("test_*.py"))


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.long
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_tests_of_the_kit_pass_in_a_session(file: Path) -> None:
    done = run_pytest(ROOT, "--numprocesses=0", str(file))
    assert done.returncode == 0, done.stdout


WITHOUT_FIXTURES = """
import sys

def test_modules():
    ours = {name for name in sys.modules if name.split(".")[0] in ("duvo", "duvo_cli")}
    assert ours == {"duvo", "duvo.testing", "duvo.testing.fixtures"}
    assert not {"dbos", "sqlalchemy", "starlette", "uvicorn", "requests"} & set(sys.modules)
"""


def test_pytest_loads_no_engine_before_a_fixture_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_modules.py").write_text(WITHOUT_FIXTURES)
    # Plugins of other packages may load what they want.
    done = run_pytest(tmp_path, "-p", "no:hypothesispytest", "-p", "no:anyio")
    assert done.returncode == 0, done.stdout


BLOCKING = """
import threading
from duvo.local import agent

BEGUN, END = threading.Event(), threading.Event()

@agent("Blocking")
async def blocking(run):
    BEGUN.set()
    END.wait(30)

def test_blocking(duvo_engine, duvo_client, monkeypatch):
    monkeypatch.setattr("duvo.local.testing.server._TIMEOUT", 0.1)
    duvo_engine(blocking)
    duvo_client.runs.start("Blocking")
    assert BEGUN.wait(30)

def test_end():
    END.set()
"""


@pytest.mark.long
def test_an_agent_that_blocks_the_event_loop_is_named_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "test_blocking.py").write_text(BLOCKING)
    done = run_pytest(tmp_path)
    assert "2 passed, 1 error" in done.stdout
    assert "EngineError: an agent's function blocks the event loop" in done.stdout


FAILING = """
import asyncio
from types import ModuleType

import pytest
import duvo
from duvo.local import agent
from duvo.testing import FakeRun, replay

@agent("Asker")
async def asker(run):
    await run.ask("How many?")

def test_fake_run():
    asyncio.run(asker(FakeRun()))

def test_module(duvo_engine):
    module = ModuleType("agents")
    module.asker = asker
    duvo_engine(module)

def test_function(duvo_engine):
    duvo_engine(asker.function)

def test_shortened_id(duvo_engine, duvo_client):
    server = duvo_engine(asker)
    run = duvo_client.runs.start("Asker")
    with pytest.raises(duvo.HumanRequestPending):
        run.wait(timeout=30, on_request="raise")
    assert replay(asker, server.database, run) == 1
    replay(asker, server.database, run.id[:8])

def test_set_back(duvo_clock):
    duvo_clock.advance(hours=-1)
"""


@pytest.mark.long
def test_failures_of_the_kit_show_the_authors_code_alone(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING)
    done = run_pytest(tmp_path)
    assert "5 failed" in done.stdout
    shown = re.findall(r"^(\S+\.py):\d+: ", done.stdout, re.MULTILINE)
    assert {file for file in shown if "asyncio" not in file} == {"test_failing.py"}, done.stdout
    errors = [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E  ")]
    assert "agents is a module; give its agents, such as agents.asker" in errors[1]
    assert "is not an agent; decorate an async function" in errors[2]
    assert re.search("no such run: [0-9a-f]{8}; give the whole id$", errors[3])
    assert len(errors) == 5
    assert "During handling" not in done.stdout


@pytest.mark.long
def test_the_programs_of_the_page_on_testing_agents_pass(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "testing-agents.md").read_text(encoding="utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for number, program in enumerate(programs):
        named = re.match(r"# (\w+\.py)\n", program)
        (tmp_path / (named[1] if named else f"test_{number}.py")).write_text(program)
    done = run_pytest(tmp_path, "-W", "error")
    assert done.returncode == 0, done.stdout
    assert f"{page.count('def test_')} passed" in done.stdout
