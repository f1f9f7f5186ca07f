"""The engine's API by raw requests, without the SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from duvo.local import Server

ENDED = ("completed", "failed", "interrupted")


class LocalApi:
    """A session with an engine, and the calls that most tests make."""

    def __init__(self, base_url: str, key: str, team: str):
        self.base_url = base_url
        self.team = team
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"
        self._agents: dict[str, str] = {}

    @classmethod
    def of(cls, server: Server) -> LocalApi:
        return cls(server.base_url, server.api_key, server.team_id)

    def close(self) -> None:
        self.session.close()

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        arguments.setdefault("timeout", 40)
        return self.session.request(method, self.base_url + path, **arguments)

    def get(self, path: str, **arguments: Any) -> Any:
        answer = self.send("GET", path, **arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, *, status: int = 200, **arguments: Any) -> Any:
        answer = self.send("POST", path, json=body, **arguments)
        assert answer.status_code == status, answer.text
        return answer.json()

    def agent_id(self, name: str) -> str:
        if not self._agents:
            page = self.get(f"/v2/teams/{self.team}/agents?limit=100")
            self._agents = {one["name"]: one["id"] for one in page["agents"]}
        return self._agents[name]

    def start(self, agent: str, message: str | None = None) -> str:
        body = {"agent_id": self.agent_id(agent)} | ({"message": message} if message else {})
        started = self.post(f"/v2/teams/{self.team}/runs", body, status=201)
        return str(started["run"]["id"])

    def count(self, status: str) -> int:
        """Return the number of runs with a status."""
        return int(self.get(f"/v2/teams/{self.team}/runs?limit=1&status={status}")["total"])

    def run(self, run_id: str) -> dict[str, Any]:
        found = self.get(f"/v2/runs/{run_id}")
        assert isinstance(found, dict)
        return found

    def status(self, run_id: str) -> str:
        return str(self.run(run_id)["run"]["status"])

    def conversation(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/v2/runs/{run_id}/messages?limit=50&offset={len(found)}")
            found += page["messages"]
            if len(found) >= page["total"]:
                return found

    def texts(self, run_id: str) -> list[str]:
        """Return the texts of the agent."""
        return [
            one["text_content"]
            for one in self.conversation(run_id)
            if one["type"] == "text" and one["role"] == "assistant"
        ]

    def wait_for_end(self, run_id: str, seconds: float = 20) -> dict[str, Any]:
        return self._wait(run_id, lambda got: got["run"]["status"] in ENDED, seconds)

    def wait_for_request(self, run_id: str, seconds: float = 20) -> dict[str, Any]:
        got = self._wait(run_id, lambda got: got["run"]["status"] == "waiting", seconds)
        request = got["pending_human_request"]
        assert isinstance(request, dict)
        return request

    def wait_for_text(self, run_id: str, text: str, seconds: float = 20) -> None:
        wait_until(lambda: text in self.texts(run_id), seconds, f"the agent never said {text!r}")

    def respond(self, run_id: str, request_id: str, *, status: int = 200, **body: Any) -> Any:
        path = f"/v2/runs/{run_id}/human-requests/{request_id}/respond"
        return self.post(path, body, status=status)

    def say(self, run_id: str, text: str, *, status: int = 201) -> Any:
        return self.post(f"/v2/runs/{run_id}/messages", {"message": text}, status=status)

    def stop(self, run_id: str) -> Any:
        return self.post(f"/v2/runs/{run_id}/stop")

    def _wait(
        self, run_id: str, enough: Callable[[dict[str, Any]], bool], seconds: float
    ) -> dict[str, Any]:
        got: dict[str, Any] = {}

        def look() -> bool:
            got.update(self.get(f"/v2/runs/{run_id}"))
            return enough(got)

        wait_until(look, seconds, f"run {run_id} is still {got}")
        return got


def wait_until(
    condition: Callable[[], bool], seconds: float, otherwise: str, *, every: float = 0.01
) -> None:
    """Check a condition every few ms until it holds; fail with a message after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(every)
