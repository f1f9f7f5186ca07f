"""Many runs followed by one AsyncClient, beside a thread for each run of one Client.

`python -m tests.benchmarks.async_follow`. The server has a process of its own,
and so has each way of following; the ways take turns. Memory growth is that of
the resident memory, from a client that has followed one run to one that
follows them all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import duvo
from tests.benchmarks.figures import percentile, show, status_field, time_limit
from tests.benchmarks.live_runs import Control
from tests.benchmarks.server import allow_many_connections, serving
from tests.servers.fake_api import KEY

WAYS = ("threads", "async")


def follow_in_threads(base_url: str) -> list[float]:
    """Follow each run in a thread; return the seconds from creation to delivery."""
    delays: list[float] = []
    client = duvo.Client(api_key=KEY, base_url=base_url)

    def follow(run_id: str) -> None:
        for message in client.runs.run(run_id).messages(follow=True):
            delays.append(time.time() - float(message.content))

    def follow_all(run_ids: list[str]) -> None:
        threads = [threading.Thread(target=follow, args=(run_id,)) for run_id in run_ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    follow_all(next_runs())
    delays.clear()
    follow_all(next_runs())
    client.close()
    return delays


async def follow_in_tasks(base_url: str) -> list[float]:
    """Follow each run in a task; return the seconds from creation to delivery."""
    delays: list[float] = []
    async with duvo.AsyncClient(api_key=KEY, base_url=base_url) as client:

        async def follow(run_id: str) -> None:
            async for message in client.runs.run(run_id).messages(follow=True):
                delays.append(time.time() - float(message.content))

        async def follow_all(run_ids: list[str]) -> None:
            await asyncio.gather(*(follow(run_id) for run_id in run_ids))

        # Reading a line blocks the loop, which has nothing else to do then.
        await follow_all(next_runs())
        delays.clear()
        await follow_all(next_runs())
    return delays


def next_runs() -> list[str]:
    """Report that nothing is being followed, and return the ids of the runs to follow next."""
    print("ready", flush=True)
    run_ids: list[str] = json.loads(sys.stdin.readline())
    return run_ids


class Follower:
    """A process that follows runs in one of the ways."""

    def __init__(self, way: str, base_url: str):
        command = [sys.executable, "-m", "tests.benchmarks.async_follow"]
        self._process = subprocess.Popen(
            [*command, "--way", way, "--url", base_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *details: object) -> None:
        self._process.kill()
        self._process.communicate()

    def read_line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the following process ended early")
        return line.strip()

    def follow(self, run_ids: list[str]) -> None:
        """Let it follow these runs, once it is ready."""
        assert self.read_line() == "ready"
        self.send(run_ids)

    def send(self, run_ids: list[str]) -> None:
        """Send the ids of the runs to follow."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(run_ids) + "\n")
        self._process.stdin.flush()

    @property
    def memory(self) -> float:
        """Its resident memory, in MB."""
        return status_field(self._process.pid, "VmRSS") / 1024

    @property
    def threads(self) -> int:
        """The number of its threads."""
        return status_field(self._process.pid, "Threads")


def measure(way: str, base_url: str, runs: int, messages: int, rate: float) -> dict[str, float]:
    """Return memory growth, threads and delays of following in one way."""
    control = Control(base_url)
    with Follower(way, base_url) as follower:
        follower.follow(control.start(1))
        control.wait_until_followed(1, 0)
        control.talk(20, 20.0)
        control.wait_until_followed(1, 20)
        control.complete()
        assert follower.read_line() == "ready"
        before = follower.memory
        follower.send(control.start(runs))
        control.wait_until_followed(runs, 0)
        control.talk(messages, rate)
        control.wait_until_followed(runs, messages)
        grown, threads = follower.memory - before, follower.threads
        control.complete()
        delays = json.loads(follower.read_line())
    assert len(delays) == messages
    return {
        "memory": grown,
        "threads": threads,
        "median": statistics.median(delays),
        "p95": percentile(delays, 95),
    }


def follow_in(way: str, base_url: str) -> None:
    """Follow runs in one way in this process, and print the delays."""
    allow_many_connections()
    if way == "threads":
        delays = follow_in_threads(base_url)
    else:
        delays = asyncio.run(follow_in_tasks(base_url))
    print(json.dumps(delays), flush=True)


def main() -> None:
    """Measure both ways in turn, and print the medians and their ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100.0, help="messages a second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.way:
        follow_in(options.way, options.url)
        return
    rounds: list[dict[str, Any]] = []
    with time_limit(900), serving("live_runs") as base_url:
        for number in range(options.rounds):
            measured = {
                way: measure(way, base_url, options.runs, options.messages, options.rate)
                for way in (WAYS if number % 2 == 0 else WAYS[::-1])
            }
            rounds.append(measured)
    report(rounds, options.runs)


def report(rounds: list[dict[str, Any]], runs: int) -> None:
    """Print the medians of all rounds."""

    def median(way: str, figure: str) -> float:
        return statistics.median(measured[way][figure] for measured in rounds)

    def ratio(figure: str) -> str:
        return f"{median('async', figure) / median('threads', figure):.2f}"

    for way in WAYS:
        name = f"{runs} runs followed, {way}"
        show(f"{name}: memory growth", f"{median(way, 'memory'):.1f} MB")
        show(f"{name}: creation to delivery, median", f"{median(way, 'median') * 1000:.1f} ms")
        show(f"{name}: creation to delivery, p95", f"{median(way, 'p95') * 1000:.1f} ms")
    show("memory growth, async beside threads", ratio("memory"), "0.8")
    show("creation to delivery p95, async beside threads", ratio("p95"), "1.15")
    most = max(int(measured["async"]["threads"]) for measured in rounds)
    show("threads of the async process", str(most), "3")


if __name__ == "__main__":
    main()
