"""Calls of the library, one kind in one process: `python library_calls.py KIND COUNT URL …`.

Only public names of `duvo` are used, and no other module of the tests, so that
any checkout's Python can run this file. Prints the seconds as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator

import duvo


def get(client: duvo.Client, options: argparse.Namespace) -> None:
    """Get a run so many times, as a typed object."""
    for _ in range(options.count):
        assert client.runs.get(options.run).data.status == "completed"


def page(client: duvo.Client, options: argparse.Namespace) -> None:
    """Read so many pages of 50 messages."""
    run = client.runs.run(options.run)
    for _ in range(options.count):
        assert sum(1 for _ in run.messages(limit=50)) == 50


def follow(client: duvo.Client, options: argparse.Namespace) -> None:
    """Follow a completed run with a long conversation so many times."""
    run = client.runs.run(options.run)
    for _ in range(options.count):
        assert sum(1 for _ in run.messages(follow=True)) > 0


def map_inputs(client: duvo.Client, options: argparse.Namespace) -> None:
    """Map so many inputs."""

    def inputs() -> Iterator[str]:
        return (f"Process invoice INV-{number:06}." for number in range(options.count))

    results = client.runs.map(options.agent, inputs(), concurrency=100)
    assert sum(run.answer == text for text, run in results) == options.count


def deliver(client: duvo.Client, options: argparse.Namespace) -> list[float]:
    """Follow a run whose messages are their times; return the seconds until each was delivered."""
    print("ready", flush=True)
    run = client.runs.run(options.run)
    return [time.time() - float(message.content) for message in run.messages(follow=True)]


def main() -> None:
    """Make the calls, the first of them before the time is taken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("get", "page", "follow", "map_inputs", "deliver"))
    parser.add_argument("count", type=int)
    parser.add_argument("url")
    parser.add_argument("--run")
    parser.add_argument("--agent")
    parser.add_argument("--key", required=True)
    parser.add_argument("--team", required=True)
    options = parser.parse_args()
    client = duvo.Client(api_key=options.key, base_url=options.url, team_id=options.team)
    if options.kind == "deliver":
        print(json.dumps(deliver(client, options)))
        return
    call = globals()[options.kind]
    call(client, argparse.Namespace(**{**vars(options), "count": 1}))
    began, cpu = time.perf_counter(), time.process_time()
    call(client, options)
    seconds = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    client.close()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
