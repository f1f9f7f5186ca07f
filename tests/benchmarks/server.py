"""A server so cheap that its clients are what is measured: `python -m tests.benchmarks.server`.

It speaks the hosted API's shapes, as far as starting runs and reading them
goes. A run completes as soon as it was started, and its answer is the message
that it was started with.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.servers.fake_api import AGENT

_BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)

_runs: dict[str, dict[str, Any]] = {}
_messages: dict[str, str] = {}
_items: list[bytes] = []
_created: list[str] = []


def _start(body: bytes) -> bytes:
    run_id = str(uuid.UUID(bytes=os.urandom(16), version=4))
    now = _BEGIN + timedelta(milliseconds=len(_items))
    created = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    run = {
        "id": run_id,
        "agent_id": AGENT,
        "build_id": run_id,
        "status": "completed",
        "source": "api",
        "started_at": created,
        "completed_at": created,
        "created_at": created,
        "updated_at": created,
    }
    _runs[run_id] = run
    _messages[run_id] = json.loads(body)["message"]
    item = {**run, "title": "Process it", "run_number": 1, "agent_name": "Clerk", "user_id": None}
    _items.append(json.dumps(item).encode())
    _created.append(created)
    return json.dumps({"run": {**run, "status": "pending", "completed_at": None}}).encode()


def _list(query: dict[str, str]) -> bytes:
    first = bisect_left(_created, query["since"]) if "since" in query else 0
    total = len(_items) - first
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    if query.get("sort_order") == "asc":
        page = _items[first + offset : first + offset + limit]
    else:
        end = len(_items) - offset
        page = _items[max(first, end - limit) : end][::-1]
    return b'{"data": [%s], "total": %d}' % (b", ".join(page), total)


def _conversation(run_id: str) -> bytes:
    at = _runs[run_id]["created_at"]
    text = _messages[run_id]
    messages = [
        {"id": f"{run_id}-{number}", "type": "text", "role": role, "timestamp": at}
        for number, role in enumerate(("user", "assistant"))
    ]
    page = [{**one, "text_content": text} for one in messages]
    return json.dumps({"messages": page, "total": 2, "limit": 50, "offset": 0}).encode()


def _answer(method: str, target: str, body: bytes) -> tuple[bytes, bytes]:
    path, _, query = target.partition("?")
    words = path.split("/")
    if method == "POST":
        return b"201 Created", _start(body)
    if words[2] == "teams":
        return b"200 OK", _list(dict(parse_qsl(unquote(query))))
    if words[-1] == "messages":
        return b"200 OK", _conversation(words[3])
    return b"200 OK", json.dumps({"run": _runs[words[3]]}).encode()


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        lines = head.decode().split("\r\n")
        for line in lines[1:]:
            if line[:15].lower() == "content-length:":
                length = int(line[15:])
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = lines[0].split(" ")
        status, payload = _answer(method, target, rest[:length])
        self._transport.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"x-request-id: req-1\r\nduvo-idempotency: 1\r\nduvo-long-poll: 30\r\n\r\n%s"
            % (status, len(payload), payload)
        )


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The base URL of such a server, in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "tests.benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
