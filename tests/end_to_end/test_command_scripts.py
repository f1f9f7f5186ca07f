"""Shell scripts of users, unchanged."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.command import Command, wait_for

WAIT = """\
RUN_ID=$(duvo runs start --agent "$AGENT_ID" --json | jq -r '.run.id')
while true; do
  STATUS=$(duvo runs get "$RUN_ID" --json | jq -r '.run.status')
  case "$STATUS" in
    completed|failed|stopped) break ;;
  esac
  sleep 5
done
echo "Run $RUN_ID finished with status: $STATUS"
"""

APPROVE = """\
duvo runs messages "$RUN_ID" --json \\
  | jq -r '.messages[] | select(.type=="human_request" and .status=="pending") | .id' \\
  | xargs -I {} duvo runs respond "$RUN_ID" --approve
"""

SAVE = """\
duvo runs messages "$RUN_ID" --json \\
  | jq -r '.messages[] | select(.role=="assistant") | .content' \\
  > run-output.log
"""

pytestmark = pytest.mark.usefixtures("jq_on_path", "short_sleep")


@pytest.fixture
def short_sleep(tmp_path: Path) -> None:
    """A program `sleep` that returns soon."""
    folder = tmp_path / "sleep"
    folder.mkdir()
    program = folder / "sleep"
    program.write_text('#!/bin/sh\nPATH="${PATH#*:}"; exec sleep 0.05\n')
    program.chmod(0o755)


def bash(script: str, command: Command, folder: Path, **variables: str) -> str:
    environment = command.environment
    path = os.pathsep.join([str(folder / "sleep"), environment["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**environment, "PATH": path, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(command: Command, agent: str, *more: str) -> str:
    started = command("runs", "start", "--agent", agent, "--json", *more)
    run_id = json.loads(started.stdout)["run"]["id"]
    assert isinstance(run_id, str)
    return run_id


@pytest.mark.long
def test_the_waiting_script_sees_a_run_complete(run_duvo: Command, tmp_path: Path) -> None:
    out = bash(WAIT, run_duvo, tmp_path, AGENT_ID="Talker")
    assert out.endswith("finished with status: completed\n")


@pytest.mark.long
def test_the_waiting_script_sees_a_run_fail(run_duvo: Command, tmp_path: Path) -> None:
    out = bash(WAIT, run_duvo, tmp_path, AGENT_ID="Failing")
    assert out.endswith("finished with status: failed\n")


@pytest.mark.long
def test_the_waiting_script_sees_a_stop_on_a_server_that_says_interrupted(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    def stop_when_read(seen: ReceivedRequest) -> None:
        for run_id, run in fake_api.runs.items():
            if seen.path.endswith(run_id) and run["status"] == "running":
                fake_api.end(run_id, "interrupted")
            elif seen.path.endswith(run_id) and run["status"] == "pending":
                run["status"] = "running"

    fake_api.after = stop_when_read
    out = bash(WAIT, run_duvo_with_fake_api, tmp_path, AGENT_ID=AGENT)
    assert out.endswith("finished with status: stopped\n")


def test_the_approving_script_lets_the_run_continue(run_duvo: Command, tmp_path: Path) -> None:
    run_id = start(run_duvo, "Invoice approver")
    wait_for(
        lambda: "human_request" in run_duvo("runs", "messages", run_id, "--json", "--tail=1").stdout
    )
    bash(APPROVE, run_duvo, tmp_path, RUN_ID=run_id)
    assert run_duvo("runs", "wait", run_id, "--timeout", "20").stdout == "INV-1042 is posted.\n"


def test_the_approving_script_works_on_a_server_of_the_hosted_shapes(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    bash(APPROVE, run_duvo_with_fake_api, tmp_path, RUN_ID=run_id)
    sent = [seen.json for seen in fake_api.requests if seen.path.endswith("/respond")]
    assert sent == [{"approved": True}]


def test_the_approving_script_does_nothing_without_a_pending_request(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "Hello")
    bash(APPROVE, run_duvo_with_fake_api, tmp_path, RUN_ID=run_id)
    assert fake_api.count("POST", "/respond") == 0


@pytest.mark.long
def test_the_saving_script_saves_only_what_the_assistant_said(
    run_duvo: Command, tmp_path: Path
) -> None:
    run_id = start(run_duvo, "Invoice approver", "--message", "INV-1042")
    run_duvo("runs", "wait", run_id, "--on-request", "approve")
    bash(SAVE, run_duvo, tmp_path, RUN_ID=run_id)
    saved = (tmp_path / "run-output.log").read_text()
    assert saved == "Checking INV-1042\nINV-1042 is posted.\n"


def test_the_saving_script_saves_messages_of_every_page(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, tmp_path: Path
) -> None:
    run_id = fake_api.start()
    for number in range(120):
        fake_api.say(run_id, f"line {number}")
    fake_api.end(run_id)
    bash(SAVE, run_duvo_with_fake_api, tmp_path, RUN_ID=run_id)
    saved = (tmp_path / "run-output.log").read_text()
    assert saved == "".join(f"line {number}\n" for number in range(120))
