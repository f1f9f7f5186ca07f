"""A typed page of 50 messages beside a bare one: `python -m tests.benchmarks.pages`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import requests

import duvo
from tests.benchmarks.completed_runs import LONG
from tests.benchmarks.figures import show, time_limit
from tests.benchmarks.server import serving
from tests.servers.fake_api import KEY, TEAM

ROUNDS = 1000


class Timed:
    """A way to read a page, and the seconds that each read took: of the clock, and of the CPU."""

    def __init__(self, read: Callable[[], int]):
        self._read = read
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def read(self) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        assert self._read() == 50
        self.wall.append(time.perf_counter() - began)
        self.cpu.append(time.process_time() - cpu)


def main() -> None:
    """Read the same page both ways in turn, and print the ratios of the medians."""
    with time_limit(300), serving("completed_runs") as base_url, requests.Session() as session:
        client = duvo.Client(api_key=KEY, base_url=base_url, team_id=TEAM)
        run = client.runs.run(LONG)
        url = f"{base_url}/v2/runs/{LONG}/messages?limit=50&offset=0"

        def typed() -> int:
            return sum(1 for _ in run.messages(limit=50))

        def bare() -> int:
            response = session.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
            return len(response.json()["messages"])

        ours, theirs = Timed(typed), Timed(bare)
        for number in range(ROUNDS):
            for way in (ours, theirs) if number % 2 else (theirs, ours):
                way.read()
        client.close()
    for name, way in (("typed page of 50 messages", ours), ("Session.get().json()", theirs)):
        wall, cpu = statistics.median(way.wall) * 1000, statistics.median(way.cpu) * 1000
        show(name, f"{wall:.2f} ms, {cpu:.2f} ms of CPU")
    wall, cpu = (
        statistics.median(mine) / statistics.median(bare)
        for mine, bare in ((ours.wall, theirs.wall), (ours.cpu, theirs.cpu))
    )
    show("typed page beside requests", f"{wall:.2f}, {cpu:.2f} of CPU", "1.1")


if __name__ == "__main__":
    main()
