"""Many inputs through one `map`, beside bare `requests`: `python -m tests.benchmarks.map`.

Each way runs in a process of its own, in turn with the others, against a fresh
server; its CPU time is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import show, time_limit
from tests.benchmarks.server import serving
from tests.servers.fake_api import AGENT, KEY, TEAM

THREADS = 8
CONCURRENCY = 100

WAYS = {"bare": "requests in a thread pool", "map": "map", "journal": "map with a journal"}


def inputs(count: int) -> Iterator[str]:
    """Return the inputs."""
    return (f"Process invoice INV-{number:06}." for number in range(count))


def map_inputs(base_url: str, count: int, journal: str | None = None) -> None:
    """Process the inputs by one `map`."""
    import duvo

    with duvo.Client(api_key=KEY, base_url=base_url, team_id=TEAM) as client:
        done = 0
        for text, run in client.runs.map(
            AGENT, inputs(count), concurrency=CONCURRENCY, journal=journal
        ):
            assert run.answer == text
            done += 1
    assert done == count


def send_inputs(base_url: str, count: int) -> None:
    """Process the inputs by `requests` in a thread pool."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import requests

    local = threading.local()

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Bearer {KEY}"
        return local.session  # type: ignore[no-any-return]

    def call(method: str, path: str, **rest: object) -> dict:
        response = session().request(method, base_url + path, timeout=30, **rest)  # type: ignore[arg-type]
        response.raise_for_status()
        return response.json()

    def work(text: str) -> tuple[str, str]:
        body = {"agent_id": AGENT, "message": text}
        run_id = call("POST", f"/v2/teams/{TEAM}/runs", json=body)["run"]["id"]
        while call("GET", f"/v2/runs/{run_id}")["run"]["completed_at"] is None:
            time.sleep(0.05)
        messages = call("GET", f"/v2/runs/{run_id}/messages?limit=50")["messages"]
        answers = [message for message in messages if message["role"] == "assistant"]
        return text, answers[-1]["text_content"]

    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for text, answer in pool.map(work, inputs(count)):
            assert answer == text
            done += 1
    assert done == count


def process_inputs(way: str, base_url: str, count: int) -> None:
    """Process the inputs in one way in this process, and print what it took."""
    began = time.perf_counter()
    if way == "bare":
        send_inputs(base_url, count)
    elif way == "map":
        map_inputs(base_url, count)
    else:
        with tempfile.TemporaryDirectory() as folder:
            map_inputs(base_url, count, str(Path(folder) / "journal"))
    used = {
        "cpu": time.process_time(),
        "wall": time.perf_counter() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(used))


def measure(way: str, count: int) -> dict[str, float]:
    """Return CPU and wall seconds, and peak memory in MB, of one way in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.map", "--way", way, "--inputs", str(count)]
    with serving("completed_runs") as base_url:
        done = subprocess.run(
            [*command, "--url", base_url], stdout=subprocess.PIPE, check=True, timeout=300
        )
    used: dict[str, float] = json.loads(done.stdout)
    return used


def main() -> None:
    """Process the inputs in each way a few times, and print the medians side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=list(WAYS))
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.way:
        process_inputs(options.way, options.url, options.inputs)
        return
    with time_limit(1200):
        report(options.inputs, options.rounds)


def report(count: int, rounds: int) -> None:
    """Measure all ways in turn, and print the figures."""
    measured = [{way: measure(way, count) for way in WAYS} for _ in range(rounds)]

    def median(way: str, figure: str) -> float:
        return statistics.median(used[way][figure] for used in measured)

    def ratio(way: str, beside: str, figure: str) -> str:
        ratios = [used[way][figure] / used[beside][figure] for used in measured]
        return f"{statistics.median(ratios):.2f}"

    for way, name in WAYS.items():
        each = median(way, "cpu") / count * 1000
        show(
            name,
            f"{each:.2f} ms CPU a run, {median(way, 'wall'):.1f} s, {median(way, 'memory'):.0f} MB",
        )
    show("CPU of map beside requests", ratio("map", "bare", "cpu"), "1.25")
    show("CPU with a journal beside without", ratio("journal", "map", "cpu"), "1.15")
    show("time with a journal beside without", ratio("journal", "map", "wall"), "1.15")
    few = count // 5
    for way in ("map", "journal"):
        grown = median(way, "memory") - measure(way, few)["memory"]
        show(f"memory from {few:,} to {count:,} inputs, {WAYS[way]}", f"{grown:+.1f} MB", "flat")


if __name__ == "__main__":
    main()
