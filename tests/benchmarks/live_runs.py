"""A server whose runs say something now and then: `python -m tests.benchmarks.live_runs`.

Requests for new messages are held until there is one. Each message is the Unix
time of its creation. What the runs do is controlled by requests under
`/control`, for which `Control` is the other end.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from typing import Any

import requests

from tests.benchmarks.server import Reply, serve
from tests.servers.fake_api import AGENT

CREATED = "2026-01-01T00:00:00.000Z"


class _Held:
    """A request that is held until there is a message at its offset."""

    def __init__(self, offset: int, reply: Reply):
        self.offset = offset
        self.reply = reply


class _Run:
    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self.status = "running"
        self.messages: list[bytes] = []
        self.held: list[_Held] = []

    def describe(self) -> bytes:
        completed = CREATED if self.status == "completed" else None
        run = {
            "id": self.id,
            "agent_id": AGENT,
            "build_id": self.id,
            "status": self.status,
            "source": "api",
            "started_at": CREATED,
            "completed_at": completed,
            "created_at": CREATED,
            "updated_at": CREATED,
        }
        return json.dumps({"run": run}).encode()

    def read(self, query: dict[str, str], reply: Reply) -> None:
        offset = int(query["offset"])
        seconds = float(query.get("wait", 0))
        if offset < len(self.messages) or seconds <= 0 or self.status == "completed":
            reply(self._page(offset))
            return
        held = _Held(offset, reply)
        self.held.append(held)
        asyncio.get_running_loop().call_later(seconds, self._release, held)

    def say(self) -> None:
        now = time.time()
        message = {
            "id": f"{self.id}-{len(self.messages)}",
            "type": "text",
            "role": "assistant",
            "timestamp": CREATED,
            "text_content": repr(now),
        }
        self.messages.append(json.dumps(message).encode())
        self._release_all()

    def complete(self) -> None:
        self.status = "completed"
        self._release_all()

    def _release_all(self) -> None:
        for held in list(self.held):
            self._release(held)

    def _release(self, held: _Held) -> None:
        if held in self.held:
            self.held.remove(held)
            held.reply(self._page(held.offset))

    def _page(self, offset: int) -> bytes:
        page = b", ".join(self.messages[offset : offset + 50])
        return b'{"messages": [%s], "total": %d, "limit": 50, "offset": %d}' % (
            page,
            len(self.messages),
            offset,
        )


_runs: dict[str, _Run] = {}
_talking: set[asyncio.Task[None]] = set()


async def _talk(count: int, rate: float) -> None:
    chance = random.Random(count)
    runs = list(_runs.values())
    at = time.monotonic()
    for _ in range(count):
        at += chance.expovariate(rate)
        await asyncio.sleep(at - time.monotonic())
        chance.choice(runs).say()


def _control(action: str, body: bytes) -> Any:
    if action == "start":
        _runs.clear()
        new = [_Run() for _ in range(json.loads(body))]
        _runs.update({run.id: run for run in new})
        return list(_runs)
    if action == "talk":
        count, rate = json.loads(body)
        task = asyncio.ensure_future(_talk(count, rate))
        _talking.add(task)
        task.add_done_callback(_talking.discard)
    elif action == "complete":
        for run in _runs.values():
            run.complete()
    return {
        "held": sum(1 for run in _runs.values() if run.held),
        "said": sum(len(run.messages) for run in _runs.values()),
    }


def _respond(
    method: str, path: list[str], query: dict[str, str], body: bytes, reply: Reply
) -> None:
    if path[0] == "control":
        reply(json.dumps(_control(path[1], body)).encode())
    elif path[-1] == "messages":
        _runs[path[2]].read(query, reply)
    else:
        reply(_runs[path[2]].describe())


class Control:
    """Controls the runs of such a server from another process."""

    def __init__(self, base_url: str):
        self._base_url = base_url

    def start(self, count: int) -> list[str]:
        """Start that many runs in place of those before; return their ids."""
        run_ids: list[str] = self._send("start", count)
        return run_ids

    def talk(self, count: int, rate: float) -> None:
        """Let the runs say so many messages in all, each at a random moment.

        Args:
            count: messages.
            rate: messages a second, on average.
        """
        self._send("talk", [count, rate])

    def complete(self) -> None:
        """Complete all runs."""
        self._send("complete", None)

    def wait_until_followed(self, runs: int, messages: int, seconds: float = 120.0) -> None:
        """Wait until so many messages were said, and requests for so many runs are held."""
        deadline = time.monotonic() + seconds
        while self._send("state", None) != {"held": runs, "said": messages}:
            if time.monotonic() > deadline:
                raise SystemExit(f"{runs} runs were not all followed within {seconds:.0f} s")
            time.sleep(0.2)

    def _send(self, action: str, body: object) -> Any:
        url = f"{self._base_url}/control/{action}"
        return requests.post(url, json=body, timeout=30).json()


if __name__ == "__main__":
    serve(_respond)
