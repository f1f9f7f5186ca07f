"""From creation to delivery while a run is followed on the engine.

`python -m tests.benchmarks.follow`. Engine and client share the process.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import duvo
from duvo.local import Server, agent
from tests.benchmarks.figures import percentile, show, time_limit

MESSAGES = 200


@agent("Clock")
async def clock(run: Any) -> None:
    for _ in range(MESSAGES):
        await asyncio.sleep(0.03)
        await run.say(repr(time.time()))


def main() -> None:
    """Follow one run, and print the time from a message's creation to its delivery."""
    delays = []
    with time_limit(120), Server([clock], port=0, examples=False) as server:
        client = duvo.Client(api_key=server.api_key, base_url=server.base_url)
        for message in client.runs.start("Clock").messages(follow=True):
            if message.role == "assistant":
                delays.append(time.time() - float(message.content))
        client.close()
    assert len(delays) == MESSAGES
    show("creation to delivery, median", f"{statistics.median(delays) * 1000:.0f} ms")
    show("creation to delivery, p95", f"{percentile(delays, 95) * 1000:.0f} ms", "100 ms")


if __name__ == "__main__":
    main()
