"""Memory of following 1,000,000 messages: `python -m tests.benchmarks.memory`."""

from __future__ import annotations

import argparse
import json
import tracemalloc
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import duvo
from duvo._http.request import Request
from duvo._http.response import Response
from tests.benchmarks.figures import show, time_limit


class LongConversation:
    """A transport that answers about a completed run with so many messages."""

    def __init__(self, total: int):
        self._total = total

    def send(self, request: Request, closed: object = None) -> Response:
        """Return the response to a request."""
        parts = urlsplit(request.target)
        if parts.path.endswith("/messages"):
            offset = int(dict(parse_qsl(parts.query))["offset"])
            return _response(_page(offset, self._total))
        return _response({"run": {"id": "r", "status": "completed"}})

    def close(self) -> None:
        """Do nothing: there are no connections."""


def _response(body: dict[str, Any]) -> Response:
    return Response(200, {}, json.dumps(body).encode())


def _page(offset: int, total: int) -> dict[str, Any]:
    messages = [
        {
            "id": f"message-{number}",
            "type": "text",
            "role": "assistant",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "text_content": f"number {number}",
        }
        for number in range(offset, min(total, offset + 50))
    ]
    return {"messages": messages, "total": total, "limit": 50, "offset": offset}


def main() -> None:
    """Follow them all, and print how much memory grew after the first thousand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000_000)
    total = parser.parse_args().messages
    client = duvo.Client(api_key="none", base_url="http://127.0.0.1:9")
    client._driver.transport = LongConversation(total)
    with time_limit(900):
        messages = client.runs.run("r").messages(follow=True)
        for _ in range(1000):
            next(messages)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        count = sum(1 for _ in messages) + 1000
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert count == total
    show(f"memory growth, {count:,} messages followed", f"{grown / 1e6:.2f} MB", "1 MB")


if __name__ == "__main__":
    main()
