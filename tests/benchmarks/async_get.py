"""An async typed get beside a bare one of httpx2: `python -m tests.benchmarks.async_get`.

Both keep their connection and take turns in one event loop; the server has a
process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx2

import duvo
from tests.benchmarks.completed_runs import LONG
from tests.benchmarks.figures import show, time_limit
from tests.benchmarks.server import serving
from tests.servers.fake_api import KEY

WARM_UP = 50


async def measure(base_url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each typed and each bare get."""
    url = f"{base_url}/v2/runs/{LONG}"
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        duvo.AsyncClient(api_key=KEY, base_url=base_url) as client,
        httpx2.AsyncClient() as bare_client,
    ):

        async def typed() -> str:
            return (await client.runs.get(LONG)).data.status

        async def bare() -> str:
            status: str = (await bare_client.get(url, headers=headers)).json()["run"]["status"]
            return status

        async def timed(get: Callable[[], Awaitable[str]]) -> float:
            began = time.perf_counter()
            assert await get() == "completed"
            return time.perf_counter() - began

        pairs = [(await timed(typed), await timed(bare)) for _ in range(WARM_UP + rounds)]
    ours, theirs = zip(*pairs[WARM_UP:], strict=True)
    return list(ours), list(theirs)


def main() -> None:
    """Get the same run both ways in turn, and print the ratio of the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2000)
    options = parser.parse_args()
    with time_limit(120), serving("completed_runs") as base_url:
        ours, theirs = asyncio.run(measure(base_url, options.rounds))
    show("async typed get", f"{statistics.median(ours) * 1000:.2f} ms")
    show("httpx2.AsyncClient().get().json()", f"{statistics.median(theirs) * 1000:.2f} ms")
    ratio = statistics.median(ours) / statistics.median(theirs)
    show("async typed get beside httpx2", f"{ratio:.2f}", "1.25")


if __name__ == "__main__":
    main()
