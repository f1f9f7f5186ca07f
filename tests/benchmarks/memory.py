"""Memory of following 1,000,000 messages: `python -m tests.benchmarks.memory`."""

from __future__ import annotations

import tracemalloc
from typing import Any

from duvo._http.transport import Answer

import duvo

TOTAL = 1_000_000


def send(method: str, path: str, *, params: Any = (), **rest: Any) -> Answer:
    """Answers as the API would about a completed run of so many messages."""
    if not path.endswith("/messages"):
        return Answer(200, {}, b"", {"run": {"id": "r", "status": "completed"}})
    offset = int(dict(params)["offset"])
    page = [
        {
            "id": f"message-{number}",
            "type": "text",
            "role": "assistant",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "text_content": f"number {number}",
        }
        for number in range(offset, min(TOTAL, offset + 50))
    ]
    return Answer(200, {}, b"", {"messages": page, "total": TOTAL, "limit": 50, "offset": offset})


def main() -> None:
    """Follow them all and print what memory grew beyond the first thousand."""
    client = duvo.Client(api_key="none", base_url="http://127.0.0.1:9")
    client._transport.send = send  # type: ignore[method-assign]
    messages = client.runs.run("r").messages(follow=True)
    for _ in range(1000):
        next(messages)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    count = sum(1 for _ in messages) + 1000
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"followed {count:,} messages; memory grew by {grown / 1e6:.2f} MB (target 1)")


if __name__ == "__main__":
    main()
