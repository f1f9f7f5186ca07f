"""Following on the engine, from creation to print: `python -m tests.benchmarks.follow`."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import duvo
from duvo.local import Server, agent

MESSAGES = 200


@agent("Clock")
async def clock(run: Any) -> None:
    for _ in range(MESSAGES):
        await asyncio.sleep(0.03)
        await run.say(repr(time.time()))


def main() -> None:
    """Follow one run and print how long its messages were on their way."""
    delays = []
    with Server([clock], port=0, examples=False) as server:
        client = duvo.Client(api_key=server.api_key, base_url=server.base_url)
        for message in client.runs.start("Clock").messages(follow=True):
            if message.role == "assistant":
                delays.append(time.time() - float(message.content))
        client.close()
    assert len(delays) == MESSAGES
    ordered = sorted(delays)
    print(f"creation to print, median {statistics.median(delays) * 1000:.0f} ms")
    print(
        f"creation to print, p95    {ordered[int(len(ordered) * 0.95)] * 1000:.0f} ms (target 100)"
    )


if __name__ == "__main__":
    main()
