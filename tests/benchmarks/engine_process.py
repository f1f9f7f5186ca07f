"""An engine in a process of its own, so that its memory, threads and CPU time are its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

from tests.support.command import DUVO

AGENTS = """
from duvo.local import agent

@agent("Five")
async def five(run):
    for number in range(5):
        await run.say(f"message {number}")

@agent("Many")
async def many(run):
    for number in range(int(run.message)):
        await run.say(f"message {number}")

@agent("Waiter")
async def waiter(run):
    await run.approval("Post the invoice?")
    await run.say("posted")
"""


class EngineProcess:
    """A running `duvo dev`, and a session with it.

    Args:
        folder: for its agents, its key and its state.
        database: a file, or the URL of a PostgreSQL database.
        duvo: the command.

    Attributes:
        base_url: its API's origin.
        start_up: seconds from the start of the process until it serves.
        session: sends requests with its key.
    """

    def __init__(self, folder: Path, database: str, duvo: str = DUVO):
        agents = folder / "agents.py"
        agents.write_text(AGENTS)
        command = [duvo, "dev", str(agents), "--no-examples", "--json", "--port", "0"]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, "--database", database],
            env={**os.environ, "DUVO_CONFIG_DIR": str(folder), "DUVO_STATE_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it has a line for each run
            text=True,
        )
        assert self._process.stdout is not None
        engine = json.loads(self._process.stdout.readline())
        self.start_up = time.perf_counter() - began
        self.base_url = engine["base_url"]
        self._key = engine["api_key"]
        self._runs_path = f"/v2/teams/{engine['team_id']}/runs"
        self.session = self.new_session()
        page = self.get(f"/v2/teams/{engine['team_id']}/agents")
        self._agent_ids = {agent["name"]: agent["id"] for agent in page["agents"]}

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """The CPU seconds that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def new_session(self) -> requests.Session:
        """Return another session with its key."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self._key}"
        return session

    def get(self, path: str, session: requests.Session | None = None) -> Any:
        """Send a GET, and return the JSON."""
        response = (session or self.session).get(self.base_url + path, timeout=60)
        response.raise_for_status()
        return response.json()

    def post(self, path: str, body: object, session: requests.Session | None = None) -> Any:
        """Send a POST, and return the JSON."""
        response = (session or self.session).post(self.base_url + path, json=body, timeout=60)
        response.raise_for_status()
        return response.json()

    def start(
        self, agent: str, message: str | None = None, session: requests.Session | None = None
    ) -> str:
        """Start a run, and return its id."""
        body = {"agent_id": self._agent_ids[agent], "message": message}
        return str(self.post(self._runs_path, body, session)["run"]["id"])

    def wait(self, run_id: str) -> Any:
        """Return a run when it has ended or waits for a human."""
        while True:
            response = self.get(f"/v2/runs/{run_id}?wait=25")
            if response["run"]["completed_at"] or response.get("pending_human_request"):
                return response

    def pending_request(self, run_id: str) -> str:
        """Return the id of the pending request of a run."""
        return str(self.get(f"/v2/runs/{run_id}")["pending_human_request"]["id"])

    def approve(self, run_id: str, request_id: str) -> None:
        """Approve a request of a run."""
        self.post(f"/v2/runs/{run_id}/human-requests/{request_id}/respond", {"approved": True})

    def wait_for_count(self, status: str, count: int, seconds: float = 120.0) -> None:
        """Return when so many runs are of that status."""
        deadline = time.monotonic() + seconds
        while self.get(f"{self._runs_path}?limit=1&status={status}")["total"] < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"fewer than {count} runs were {status} after {seconds:.0f} s")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the process."""
        self.session.close()
        self._process.kill()
        self._process.communicate()
