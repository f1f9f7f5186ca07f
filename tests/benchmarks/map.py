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

from tests.benchmarks.server import serving
from tests.servers.fake_api import AGENT, KEY, TEAM

THREADS = 8
CONCURRENCY = 100


def inputs(count: int) -> Iterator[str]:
    return (f"Process invoice INV-{number:06}." for number in range(count))


def ours(base_url: str, count: int, journal: str | None = None) -> None:
    """One `map`."""
    import duvo

    with duvo.Client(api_key=KEY, base_url=base_url, team_id=TEAM) as client:
        done = 0
        for given, run in client.runs.map(
            AGENT, inputs(count), concurrency=CONCURRENCY, journal=journal
        ):
            assert run.answer == given
            done += 1
    assert done == count


def bare(base_url: str, count: int) -> None:
    """The same by `requests` in a thread pool."""
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
        answer = session().request(method, base_url + path, timeout=30, **rest)  # type: ignore[arg-type]
        answer.raise_for_status()
        return answer.json()

    def work(given: str) -> tuple[str, str]:
        body = {"agent_id": AGENT, "message": given}
        run_id = call("POST", f"/v2/teams/{TEAM}/runs", json=body)["run"]["id"]
        while call("GET", f"/v2/runs/{run_id}")["run"]["completed_at"] is None:
            time.sleep(0.05)
        messages = call("GET", f"/v2/runs/{run_id}/messages?limit=50")["messages"]
        return given, [one["text_content"] for one in messages if one["role"] == "assistant"][-1]

    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for given, answer in pool.map(work, inputs(count)):
            assert answer == given
            done += 1
    assert done == count


def measured(way: str, count: int) -> dict[str, float]:
    """CPU and wall seconds, and peak memory in MB, of one way in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.map", "--way", way, "--inputs", str(count)]
    with serving() as base_url:
        done = subprocess.run([*command, "--url", base_url], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def one_way(way: str, base_url: str, count: int) -> None:
    began = time.perf_counter()
    if way == "bare":
        bare(base_url, count)
    elif way == "map":
        ours(base_url, count)
    else:
        with tempfile.TemporaryDirectory() as folder:
            ours(base_url, count, str(Path(folder) / "journal"))
    used = {
        "cpu": time.process_time(),
        "wall": time.perf_counter() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(used))


def main() -> None:
    """Run each way a few times, and print the medians side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=("bare", "map", "journal"))
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.way:
        one_way(given.way, given.url, given.inputs)
        return
    ways = ("bare", "map", "journal")
    rounds = [{way: measured(way, given.inputs) for way in ways} for _ in range(given.rounds)]

    def median(way: str, what: str) -> float:
        return statistics.median(one[way][what] for one in rounds)

    def ratio(way: str, beside: str, what: str) -> float:
        return statistics.median(one[way][what] / one[beside][what] for one in rounds)

    for way, name in zip(
        ways, ("requests in a thread pool", "map", "map with a journal"), strict=True
    ):
        each = median(way, "cpu") / given.inputs * 1000
        print(
            f"{name:28}{each:6.2f} ms CPU a run, {median(way, 'wall'):6.1f} s, "
            f"{median(way, 'memory'):5.0f} MB"
        )
    print(f"CPU of map beside requests             {ratio('map', 'bare', 'cpu'):.2f} (target 1.25)")
    for what, name in (("cpu", "CPU "), ("wall", "time")):
        figure = ratio("journal", "map", what)
        print(f"{name} with a journal beside without    {figure:.2f} (target 1.15)")
    few = given.inputs // 5
    for way in ("map", "journal"):
        grown = median(way, "memory") - measured(way, few)["memory"]
        print(f"memory, {few:,} to {given.inputs:,} inputs, {way:8} {grown:+.1f} MB (target: flat)")


if __name__ == "__main__":
    main()
