"""Memory does not grow with the number of inputs."""

from __future__ import annotations

import gc
import json
import statistics
import threading
import tracemalloc
from pathlib import Path

import pytest

import duvo
from duvo._http.request import Request
from duvo._run import polling
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest

pytestmark = pytest.mark.long

# Results at which memory is measured: from the first on, the server holds its most runs.
EARLY, LATE = range(200, 350, 10), range(1000, 1150, 10)
COUNT = 1200
_KEPT = 100


class Forgetful:
    """A transport's `send` that answers from memory, and forgets runs that have ended."""

    def __init__(self) -> None:
        self._fake_api = FakeAPI()
        self._ended: list[str] = []

    def send(self, request: Request, closed: threading.Event | None) -> duvo.Response:
        headers = {"authorization": "Bearer dv_test_0123456789abcdef"}
        seen = ReceivedRequest(request.method, request.target, headers, request.content or b"null")
        with self._fake_api.lock:
            if request.method == "GET" and request.path.endswith("/runs"):
                self._end_all()
            status, data = self._fake_api.answer(seen)
            assert status < 300, (request.method, request.target, data)
            return duvo.Response(status, {}, json.dumps(data).encode())

    def _end_all(self) -> None:
        # Runs that ended some rounds ago have been listed and read.
        for run_id in self._ended[:-_KEPT]:
            del self._fake_api.runs[run_id], self._fake_api.conversations[run_id]
        self._ended = self._ended[-_KEPT:]
        for run_id, run in self._fake_api.runs.items():
            if run["status"] == "pending":
                self._fake_api.say(run_id, "done")
                self._fake_api.end(run_id)
                self._ended.append(run_id)


def peak_of_csv(results: duvo.Results, file: Path, count: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        results.to_csv(file, ({"number": number % 700} for number in range(count)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.blocking_only
def test_memory_for_a_csv_does_not_grow_with_the_number_of_inputs(
    client: duvo.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._driver.transport, "send", Forgetful().send)
    file = tmp_path / "results.csv"
    with client.runs.map(AGENT, [], journal=tmp_path / "journal") as results:
        first, few, many = (peak_of_csv(results, file, count) for count in (10, 1500, 6000))
    assert len(file.read_text().splitlines()) == 6001
    # A row in memory takes 1 kB or more.
    assert many - few < 50 * 4500, (first, few, many)


@pytest.mark.blocking_only
@pytest.mark.parametrize("journal", [None, "journal"])
def test_memory_of_a_map_does_not_grow_with_the_number_of_inputs(
    client: duvo.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: str | None
) -> None:
    monkeypatch.setattr(polling, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(client._driver.transport, "send", Forgetful().send)
    # Fill the rate limit's record of its last requests.
    for second in range(10_000):
        client._driver.api.rate_limit._limit.send(float(second))
    results = client.runs.map(
        AGENT,
        (f"input {number}" for number in range(COUNT)),
        # Few, because the number of runs in memory varies, and each takes 3 kB or more.
        concurrency=10,
        journal=tmp_path / journal if journal else None,
    )
    held: dict[int, int] = {}
    tracemalloc.start()
    try:
        for count, _ in enumerate(results, 1):
            if count in EARLY or count in LATE:
                gc.collect()
                held[count] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert count == COUNT
    early, late = (statistics.mean(held[at] for at in places) for places in (EARLY, LATE))
    # A run in memory takes 3 kB or more. Python 3.10 counts up to 100 bytes more for each.
    assert late - early < 300 * (LATE.start - EARLY.start), held
