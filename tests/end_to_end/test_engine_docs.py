"""The examples on the page about writing agents."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from duvo.local import Server, load_agents
from duvo.testing import FakeRun
from tests.servers.engine_api import EngineAPI, wait_until

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = re.findall(r"```python\n(.*?)```", (DOCS / "writing-agents.md").read_text(), re.S)
FILES = [text for text in EXAMPLES if "Server(" not in text]
SCRIPTS = [text for text in EXAMPLES if "Server(" in text]

SAID = {
    "Greeter": "Hello, Ada!",
    "Line counter": r"That did not work: FileNotFoundError: .*",
    "Buyer": "Ordered: 3 in red for A",
    "Counter": r"Turn 1\. Before: \[\]\. Now: Ada",
    "Sampler": "Done",
    "Payer": r"Paid 12\.5 for INV-1042",
}


def test_all_examples_of_the_page_are_found() -> None:
    assert (len(FILES), len(SCRIPTS)) == (6, 2)


@pytest.mark.parametrize("text", FILES, ids=lambda text: re.findall(r'@agent\("(.*)"', text)[0])
def test_an_example_runs_as_a_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(text)
    (agent,) = load_agents(file)
    with Server([agent], port=0, examples=False) as server:
        api = EngineAPI.of(server)
        run_id = api.start(agent.name, "Ada")

        def answered_and_ended() -> bool:
            found = api.run(run_id)
            request = found.get("pending_human_request")
            if request and request["type"] == "approval":
                api.respond(run_id, request["id"], approved=True)
            elif request:
                answers = {
                    q["question"]: q["options"][0]["label"] if "options" in q else "3"
                    for q in request["questions"]
                }
                api.respond(run_id, request["id"], answers=answers)
            return found["run"]["completed_at"] is not None

        wait_until(answered_and_ended, 30, "the example did not end")
        assert api.status(run_id) == "completed", api.conversation(run_id)[-1]
        assert re.fullmatch(SAID[agent.name], api.texts(run_id)[-1])
        api.close()


@pytest.mark.parametrize("text", FILES, ids=lambda text: re.findall(r'@agent\("(.*)"', text)[0])
def test_an_example_says_the_same_without_a_server(text: str, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(text)
    (agent,) = load_agents(file)
    answers = {"Which cost centre?": "A", "How many?": "3", "Which colours?": "red"}
    run = FakeRun("Ada", answers=answers, approvals=True)
    asyncio.run(agent(run))
    assert re.fullmatch(SAID[agent.name], run.said[-1])


@pytest.mark.long
@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_of_the_page_runs_without_warnings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(text)
    (tmp_path / "greeter.py").write_text(FILES[0])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
