"""A typed page of 50 messages beside a bare one: `python -m tests.benchmarks.pages`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import requests

import duvo
from tests.benchmarks.figures import show, time_limit
from tests.servers.fake_api import KEY, TEAM, Hosted, serving

ROUNDS = 400


def main() -> None:
    """Read the same page both ways in turn, and print the ratio of the medians."""
    with time_limit(300), serving(Hosted()) as hosted, requests.Session() as session:
        run_id = hosted.start()
        for number in range(50):
            hosted.say(run_id, f"This is what I found in document {number}. " * 4)
        hosted.conversations[run_id] *= 40
        client = duvo.Client(api_key=KEY, base_url=hosted.base_url, team_id=TEAM)
        run = client.runs.run(run_id)
        url = f"{hosted.base_url}/v2/runs/{run_id}/messages?limit=50&offset=0"

        def typed() -> int:
            return sum(1 for _ in run.messages(limit=50))

        def bare() -> int:
            response = session.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
            return len(response.json()["messages"])

        times: dict[Callable[[], int], list[float]] = {typed: [], bare: []}
        for _ in range(ROUNDS):
            for read, values in times.items():
                began = time.perf_counter()
                assert read() == 50
                values.append(time.perf_counter() - began)
        client.close()
    ours, theirs = (statistics.median(values) for values in times.values())
    show("typed page of 50 messages", f"{ours * 1000:.2f} ms")
    show("Session.get().json()", f"{theirs * 1000:.2f} ms")
    show("typed page beside requests", f"{ours / theirs:.2f}", "1.1")


if __name__ == "__main__":
    main()
