"""What `duvo dev` and `duvo serve` log of runs."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from duvo.local import Server
from tests.servers.dev_process import running_dev
from tests.servers.engine_api import EngineAPI
from tests.servers.serve_process import ServeProcess
from tests.support.command import DUVO, Command, wait_for

AGENTS = """
from duvo.local import agent

@agent("Greeter")
async def greeter(run):
    if await run.approval("Greet?"):
        await run.say(f"Hello, {run.message}")

@agent("Broken")
async def broken(run):
    raise ValueError("bad")
"""
SECONDS = r"\d+\.\d s"


def approve_without_user_agent(api: EngineAPI, run_id: str) -> None:
    request = api.wait_for_request(run_id)
    connection = http.client.HTTPConnection(api.base_url.partition("//")[2])
    path = f"/v2/runs/{run_id}/human-requests/{request['id']}/respond"
    headers = {"Authorization": str(api.session.headers["Authorization"])}
    headers["Content-Type"] = "application/json"
    connection.request("POST", path, json.dumps({"approved": True}), headers)
    assert connection.getresponse().status == 200
    connection.close()


def play(api: EngineAPI, command: Command) -> list[str]:
    """Start and answer runs; return their short ids."""
    first = api.start("Greeter", "Ada\nLovelace " + "and others " * 20)
    approve_without_user_agent(api, first)
    api.wait_for_end(first)
    api.say(first, "again")
    api.wait_for_request(first)
    done = command("runs", "respond", first, "--approve")
    assert done.returncode == 0, done.stderr
    api.wait_for_end(first)
    second = api.start("Greeter")
    api.wait_for_request(second)
    api.post(f"/v2/runs/{second}/stop")
    third = api.start("Broken")
    api.wait_for_end(third)
    return [run_id[:8] for run_id in (first, second, third)]


def expected(first: str, second: str, third: str) -> list[str]:
    return [
        rf"run {first} \(Greeter\) started: Ada Lovelace and others [a-z ]{{20,40}}…",
        rf"run {first} \(Greeter\) asks: Greet\?",
        rf"run {first} \(Greeter\) was answered by API",
        rf"run {first} \(Greeter\) completed after {SECONDS}",
        rf"run {first} \(Greeter\) resumed: again",
        rf"run {first} \(Greeter\) asks: Greet\?",
        rf"run {first} \(Greeter\) was answered by duvo-cli",
        rf"run {first} \(Greeter\) completed after {SECONDS}",
        rf"run {second} \(Greeter\) started",
        rf"run {second} \(Greeter\) asks: Greet\?",
        rf"run {second} \(Greeter\) was stopped after {SECONDS}",
        rf"run {third} \(Broken\) started",
        rf"run {third} \(Broken\) failed after {SECONDS}: ValueError: bad \(agents\.py:11\)",
    ]


def assert_lines(lines: list[str], patterns: list[str]) -> None:
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)


@pytest.mark.long
def test_dev_logs_what_happens_to_runs(tmp_path: Path) -> None:
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    with running_dev(tmp_path, str(file), "--json") as dev:
        command = Command({**dev.command.settings, **dev.settings})
        runs = play(dev.api(), command)
        errors = tmp_path / "stderr.txt"
        wait_for(lambda: "ValueError: bad\n" in errors.read_text())
        *lines, frame, source, error = errors.read_text().splitlines()
    prefixed = [f"duvo: {pattern}" for pattern in expected(*runs)]
    assert_lines(lines, [*prefixed, r"Traceback \(most recent call last\):"])
    assert frame.endswith(f'{file}", line 11, in broken')
    assert (source, error) == ('    raise ValueError("bad")', "ValueError: bad")


@pytest.mark.long
def test_serve_logs_with_times_as_text_or_json(serve: Callable[..., ServeProcess]) -> None:
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    served = serve("--log-format", "text")
    run_id = served.api().start("Greeter", "Ada")
    served.api().wait_for_end(run_id)
    code, errors = served.end()
    assert code == 0
    patterns = [
        rf"run {run_id[:8]} \(Greeter\) started: Ada",
        rf"run {run_id[:8]} \(Greeter\) completed after {SECONDS}",
        "stopping; unfinished runs stay as they are",
    ]
    assert_lines(errors.splitlines(), [f"{time} {pattern}" for pattern in patterns])


def test_serve_logs_json_lines_with_the_fields_of_each_event(
    serve: Callable[..., ServeProcess], tmp_path: Path
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(AGENTS.replace("Greeter", "Asker 2"))
    served = serve(str(file), "--log-format", "json")
    run_id = served.api().start("Broken", "now")
    served.api().wait_for_end(run_id)
    started, failed, stopping = map(json.loads, served.end()[1].splitlines())
    about = {"run_id": run_id, "agent": "Broken"}
    assert {"level": "info", "event": "started", "turn": 1, "text": "now", **about} == {
        name: started[name] for name in started if name not in ("time", "message")
    }
    assert {"level": "error", "event": "failed", **about}.items() <= failed.items()
    assert failed["failure"] == "ValueError: bad (broken.py:11)"
    assert failed["message"].endswith(failed["failure"])
    assert failed["traceback"].endswith("ValueError: bad")
    assert failed["seconds"] >= 0
    assert set(stopping) == {"time", "level", "message"}


@pytest.mark.long
def test_quiet_logs_failures_alone(tmp_path: Path) -> None:
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    with running_dev(tmp_path, str(file), "--json", "--quiet") as dev:
        play(dev.api(), Command({**dev.command.settings, **dev.settings}))
        errors = tmp_path / "stderr.txt"
        wait_for(lambda: "ValueError: bad\n" in errors.read_text())
        lines = errors.read_text().splitlines()
    assert "failed after" in lines[0]
    assert not any(word in line for word in ("started", "asks") for line in lines)


@pytest.mark.long
def test_a_program_of_dev_is_accompanied_by_failures_alone(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    start = f"{DUVO} runs start --wait --agent"
    script = f"{start} Greeter --on-request approve; {start} Broken 2>&1"
    done: subprocess.CompletedProcess[str]
    done = run_duvo_unconfigured("dev", str(file), "--", "bash", "-c", script)
    lines = [line for line in done.stderr.splitlines() if line.startswith("duvo: run ")]
    assert [("failed" in line) for line in lines] == [True], done.stderr


def test_events_of_a_server_in_a_program_are_log_records(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "duvo.local.runs")
    with Server(port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Talker")
        api.wait_for_end(run_id)
        api.close()
        wait_for(lambda: len(caplog.records) == 2)
    events = [vars(record)["event"] for record in caplog.records]
    assert [event["event"] for event in events] == ["started", "completed"]
    assert {(event["run_id"], event["agent"]) for event in events} == {(run_id, "Talker")}
