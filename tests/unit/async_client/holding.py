"""A server in one thread that holds any number of requests at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit


class HoldingServer:
    """Runs that say nothing until all of them end at once.

    Attributes:
        base_url: where it listens.
        held: requests that are held at the moment.
        most: the most that were held at a time.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.held = 0
        self.most = 0
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._ended = asyncio.Event()

    def end_all(self) -> None:
        """End all runs; each says one thing."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._answer_all, "127.0.0.1", 0, backlog=1000)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._stopped.wait()
        server.close()
        exchanges = asyncio.all_tasks() - {asyncio.current_task()}
        for exchange in exchanges:
            exchange.cancel()
        # A connection that is not closed before its loop warns when it is collected.
        await asyncio.gather(*exchanges, return_exceptions=True)

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = json.dumps(await self._answer(head.split()[1].decode())).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nduvo-long-poll: 25\r\n"
                    b"content-length: %d\r\n\r\n%s" % (len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, target: str) -> dict[str, Any]:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if "wait" in query and not self._ended.is_set():
            self.held += 1
            self.most = max(self.most, self.held)
            try:
                await self._ended.wait()
            finally:
                self.held -= 1
        run_id, *rest = parts.path.removeprefix("/v2/runs/").split("/")
        if not rest:
            status = "completed" if self._ended.is_set() else "running"
            return {"run": {"id": run_id, "status": status}}
        message = {
            "id": f"{run_id}-1",
            "type": "text",
            "role": "assistant",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "text_content": f"{run_id} is done",
        }
        messages = [message] if self._ended.is_set() else []
        offset = int(query["offset"][0])
        page = {"messages": messages[offset:], "total": len(messages)}
        return {**page, "limit": 50, "offset": offset}

    def run(self, ready: threading.Event) -> None:
        """Serve until `stop`."""
        self._loop.run_until_complete(self._serve(ready))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def stop(self) -> None:
        """End serving, from any thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)


@contextmanager
def holding() -> Iterator[HoldingServer]:
    """The server, in a thread, until the block ends."""
    server = HoldingServer()
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield server
    finally:
        server.stop()
        thread.join()
