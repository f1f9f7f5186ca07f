"""Every program of the page on async programs runs, against an engine and over real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import duvo
from duvo.local import Server
from tests.servers.engine_api import EngineAPI, wait_until

pytestmark = pytest.mark.skipif(
    not hasattr(duvo, "AsyncClient"), reason="duvo.AsyncClient is missing"
)

PAGE = (Path(__file__).parents[2] / "docs" / "async.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

# Runs a file as IPython runs a cell, with `await` at the top level.
CELL = """
import ast, asyncio, sys

async def run_cell():
    with open(sys.argv[1], encoding="utf-8") as file:
        code = compile(file.read(), sys.argv[1], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, {"__name__": "__main__"})

asyncio.run(run_cell())
"""


def program_with(text: str) -> str:
    (found,) = [program for program in PROGRAMS if text in program]
    return found


SCRIPT, SERVER, CELL_PROGRAM, BOT = map(
    program_with, ("on_request=decide", "FastAPI(", "asyncio.gather(\n", "runs.inbox(")
)


@pytest.fixture
def engine() -> Iterator[Server]:
    """An engine with the example agents, and metrics."""
    with Server(port=0, monitoring=True) as server:
        yield server


@pytest.fixture
def environment(engine: Server) -> dict[str, str]:
    """Settings for a client of the engine."""
    return os.environ | {
        "DUVO_API_KEY": engine.api_key,
        "DUVO_API_BASE_URL": engine.base_url,
        "PYTHONUNBUFFERED": "1",
    }


def run_to_the_end(
    command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done


def test_the_page_has_four_programs() -> None:
    assert len(PROGRAMS) == 4


def test_the_first_program_follows_a_run_to_its_end(environment: dict[str, str]) -> None:
    done = run_to_the_end(["-c", SCRIPT], environment)
    lines = done.stdout.splitlines()
    assert "assistant INV-1042 is posted." in lines
    assert lines[-1] == "completed"


@pytest.mark.long
def test_the_notebook_cell_runs_with_await_at_the_top_level(
    environment: dict[str, str], tmp_path: Path
) -> None:
    cell = tmp_path / "cell.py"
    cell.write_text(CELL_PROGRAM)
    done = run_to_the_end(["-c", CELL, str(cell)], environment)
    assert done.stdout.splitlines() == [
        "completed INV-1042 is posted.",
        "completed INV-1043 is left alone.",
    ]


@pytest.mark.long
def test_the_bot_answers_requests_until_it_is_interrupted(
    environment: dict[str, str], api: EngineAPI
) -> None:
    approved, denied = (
        api.start("Invoice approver", f"Process {number}") for number in ("INV-1042", "INV-1043")
    )
    question = api.start("Travel booker")
    bot = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", BOT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for run_id in (approved, denied):
            api.wait_for_end(run_id, 60)
    finally:
        bot.send_signal(signal.SIGINT)
        out, errors = bot.communicate(timeout=30)
    assert (bot.returncode, out) == (0, "")
    assert "Traceback" not in errors
    assert api.texts(approved)[-1] == "INV-1042 is posted."
    assert api.texts(denied)[-1] == "INV-1043 is left alone."
    assert api.wait_for_request(question)["type"] == "question"


@pytest.fixture
def application(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The base URL of the page's web application, served by the page's command."""
    (name,) = re.findall(r"^uvicorn (\w+):app$", PAGE, re.MULTILINE)
    assert f"`{name}.py`" in PAGE
    (tmp_path / f"{name}.py").write_text(SERVER)
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    logged = ""
    try:
        while not (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", logged)):
            line = process.stdout.readline()
            assert line, logged
            logged += line
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    # FastAPI raises this one itself when a viewer leaves during a keep-alive comment.
    errors = set(re.findall(r"^[\s|+]*([\w.]+Error)\b", logged + rest, re.MULTILINE))
    assert errors <= {"anyio.BrokenResourceError"}
    assert errors or "Traceback" not in logged + rest
    assert process.returncode == 0, rest


def start(application: str, message: str) -> str:
    started = requests.post(f"{application}/runs", json={"message": message}, timeout=30)
    assert started.status_code == 201, started.text
    return str(started.json()["id"])


def view(application: str, run_id: str, **headers: str) -> requests.Response:
    """An open stream of server-sent events."""
    response = requests.get(
        f"{application}/runs/{run_id}/messages", headers=headers, stream=True, timeout=30
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return response


def events(response: requests.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, without its keep-alive comments."""
    fields: dict[str, Any] = {}
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = json.loads(value) if name == "data" else value
        elif fields:
            yield fields
            fields = {}


def approve(api: EngineAPI, run_id: str) -> None:
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)


def held_polls(engine: Server) -> int:
    metrics = requests.get(f"{engine.base_url}/metrics", timeout=30).text
    (held,) = re.findall(r"^duvo_long_polls_held (\d+)", metrics, re.MULTILINE)
    return int(held)


@pytest.mark.long
def test_a_viewer_gets_every_message_and_then_the_end(application: str, api: EngineAPI) -> None:
    run_id = start(application, "Process INV-1042")
    approve(api, run_id)
    received = list(events(view(application, run_id)))
    assert received[-1] == {"event": "end", "data": "completed"}
    conversation = [message["id"] for message in api.conversation(run_id)]
    assert [event["id"] for event in received[:-1]] == conversation
    assert "INV-1042 is posted." in [event["data"]["content"] for event in received[:-1]]


@pytest.mark.long
def test_a_viewer_that_reconnects_resumes_after_the_last_message(
    application: str, api: EngineAPI
) -> None:
    run_id = start(application, "Process INV-1042")
    with view(application, run_id) as response:
        stream = events(response)
        seen = [next(stream), next(stream)]
    approve(api, run_id)
    api.wait_for_end(run_id)
    rest = list(events(view(application, run_id, **{"Last-Event-ID": seen[-1]["id"]})))
    conversation = [message["id"] for message in api.conversation(run_id)]
    assert [event["id"] for event in [*seen, *rest[:-1]]] == conversation


@pytest.mark.long
def test_a_pending_request_has_no_event_id(application: str) -> None:
    run_id = start(application, "Process INV-1042")
    with view(application, run_id) as response:
        request = next(event for event in events(response) if "id" not in event)
    assert request["data"]["type"] == "human_request"


@pytest.mark.long
def test_an_unknown_run_is_not_found(application: str) -> None:
    unknown = f"{application}/runs/00000000-0000-4000-8000-000000000000/messages"
    assert requests.get(unknown, timeout=30).status_code == 404


@pytest.mark.long
def test_following_stops_when_the_viewers_have_left(
    application: str, engine: Server, api: EngineAPI
) -> None:
    run_id = start(application, "Process INV-1042")
    api.wait_for_request(run_id)
    viewers = [view(application, run_id) for _ in range(45)]
    wait_until(lambda: held_polls(engine) == len(viewers), 60, "not every viewer follows")
    another = start(application, "Process INV-1043")
    for viewer in viewers:
        viewer.close()
    wait_until(lambda: held_polls(engine) == 0, 20, "a follow outlived its viewer")
    approve(api, another)
    assert list(events(view(application, another)))[-1]["data"] == "completed"
