"""Memory does not grow with the number of inputs."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo._http.transport import Answer
from duvo._run import pace
from tests.servers.fake_api import AGENT, Hosted, Seen

FIRST, LAST = 1000, 3000
_KEPT = 600


class Forgetful:
    """A transport's `send` that answers from memory, and forgets runs that have ended."""

    def __init__(self) -> None:
        self._hosted = Hosted()
        self._ended: list[str] = []

    def send(
        self, method: str, path: str, *, params: Any = (), body: Any = None, **_: Any
    ) -> Answer:
        import json
        from urllib.parse import urlencode

        headers = {"authorization": "Bearer dv_test_0123456789abcdef"}
        target = f"{path}?{urlencode(params)}"
        seen = Seen(method, target, headers, json.dumps(body).encode())
        with self._hosted.lock:
            if method == "GET" and path.endswith("/runs"):
                self._end_all()
            status, data = self._hosted.answer(seen)
            assert status < 300, (method, target, data)
            return Answer(status, {}, b"", json.loads(json.dumps(data)))

    def _end_all(self) -> None:
        # What ended some rounds ago was told, and read.
        for run_id in self._ended[:-_KEPT]:
            del self._hosted.runs[run_id], self._hosted.conversations[run_id]
        self._ended = self._ended[-_KEPT:]
        for run_id, run in self._hosted.runs.items():
            if run["status"] == "pending":
                self._hosted.say(run_id, "done")
                self._hosted.end(run_id)
                self._ended.append(run_id)


@pytest.mark.parametrize("journal", [None, "journal"])
def test_between_many_and_three_times_as_many(
    client: duvo.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: str | None
) -> None:
    monkeypatch.setattr(pace, "FIRST", 0.0)
    monkeypatch.setattr(pace, "LONGEST", 0.0)
    monkeypatch.setattr(client._transport, "send", Forgetful().send)
    results = client.runs.map(
        AGENT,
        (f"input {number}" for number in range(LAST)),
        concurrency=50,
        journal=tmp_path / journal if journal else None,
    )
    held: dict[int, int] = {}
    tracemalloc.start()
    try:
        for count, _ in enumerate(results, 1):
            if count in (FIRST, LAST - 100):
                gc.collect()
                held[count] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert count == LAST
    grown = held[LAST - 100] - held[FIRST]
    # A run takes 3 kB and more while it is held.
    assert grown < 100_000, held
