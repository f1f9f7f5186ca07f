"""A server whose runs complete at once: `python -m tests.benchmarks.completed_runs`.

It speaks the hosted API's shapes, as far as starting and reading runs goes. A
run's answer is the message that it was started with. `LONG` is a run with a
long conversation, in which every fifth message is a tool call.
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.benchmarks.server import Reply, serve
from tests.servers.fake_api import AGENT

LONG = "33333333-3333-4333-8333-333333333333"
"""The id of a run with `LONG_MESSAGES` messages."""

LONG_MESSAGES = 10_000

_BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)

_runs: dict[str, dict[str, Any]] = {}
_messages: dict[str, str] = {}
_items: list[bytes] = []


def _new_run(run_id: str) -> dict[str, Any]:
    now = _BEGIN + timedelta(milliseconds=len(_items))
    created = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": run_id,
        "agent_id": AGENT,
        "build_id": run_id,
        "status": "completed",
        "source": "api",
        "sandbox_id": None,
        "started_at": created,
        "completed_at": created,
        "created_at": created,
        "updated_at": created,
        "human_in_the_loop_enabled": True,
    }


def _start(body: bytes) -> bytes:
    run_id = str(uuid.UUID(bytes=os.urandom(16), version=4))
    run = _runs[run_id] = _new_run(run_id)
    _messages[run_id] = json.loads(body)["message"]
    item = {**run, "title": "Process it", "run_number": 1, "agent_name": "Clerk", "user_id": None}
    _items.append(json.dumps(item).encode())
    return json.dumps({"run": {**run, "status": "pending", "completed_at": None}}).encode()


def _list(query: dict[str, str]) -> bytes:
    total = len(_items)
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    if query.get("sort_order") == "asc":
        page = _items[offset : offset + limit]
    else:
        end = max(0, total - offset)
        page = _items[max(0, end - limit) : end][::-1]
    return b'{"data": [%s], "total": %d}' % (b", ".join(page), total)


def _message(
    run_id: str, number: int, role: str, text: str | None, **fields: Any
) -> dict[str, Any]:
    return {
        "id": f"{run_id}-{number}",
        "type": "text",
        "role": role,
        "timestamp": _runs[run_id]["created_at"],
        "text_content": text,
        **fields,
    }


def _conversation(run_id: str) -> bytes:
    messages = [
        _message(run_id, number, role, _messages[run_id])
        for number, role in enumerate(("user", "assistant"))
    ]
    return json.dumps({"messages": messages, "total": 2, "limit": 50, "offset": 0}).encode()


def _long_conversation() -> list[bytes]:
    _runs[LONG] = _new_run(LONG)
    return [json.dumps(_long_message(number)).encode() for number in range(LONG_MESSAGES)]


def _long_message(number: int) -> dict[str, Any]:
    call = f"call-{number // 5}"
    if number % 5 == 3:
        arguments = {"document": number, "query": "total", "pages": [1, 2], "exact": True}
        tool_call = {"id": call, "name": "read_document", "arguments": arguments}
        return _message(LONG, number, "assistant", None, type="tool_call", tool_call=tool_call)
    if number % 5 == 4:
        result = {"document": number, "total": "1,042.00", "currency": "EUR", "lines": [1, 2, 3]}
        tool_result = {"tool_call_id": call, "result": result}
        return _message(
            LONG, number, "assistant", None, type="tool_result", tool_result=tool_result
        )
    return _message(LONG, number, "assistant", f"This is what I found in document {number}. " * 4)


_long = _long_conversation()


def _long_page(query: dict[str, str]) -> bytes:
    offset, limit = int(query["offset"]), int(query["limit"])
    page = b", ".join(_long[offset : offset + limit])
    return b'{"messages": [%s], "total": %d, "limit": %d, "offset": %d}' % (
        page,
        LONG_MESSAGES,
        limit,
        offset,
    )


def _respond(
    method: str, path: list[str], query: dict[str, str], body: bytes, reply: Reply
) -> None:
    if method == "POST":
        reply(_start(body))
    elif path[1] == "teams":
        reply(_list(query))
    elif path[-1] != "messages":
        reply(json.dumps({"run": _runs[path[2]]}).encode())
    elif path[2] == LONG:
        reply(_long_page(query))
    else:
        reply(_conversation(path[2]))


if __name__ == "__main__":
    serve(_respond)
