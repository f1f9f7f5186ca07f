"""The connections of the async transport: kept for a while, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from duvo._http import httpx_sessions
from duvo._http.httpx_transport import HttpxTransport
from duvo._http.request import Request

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class HoldingServer:
    """Holds every request until it is released.

    Attributes:
        held: requests without a response.
        connections: open connections.
    """

    def __init__(self) -> None:
        self.held = 0
        self.connections = 0
        self.released = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.held += 1
                await self.released.wait()
                self.held -= 1
                writer.write(RESPONSE)
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.connections -= 1
            writer.close()


@asynccontextmanager
async def holding() -> AsyncIterator[tuple[HoldingServer, HttpxTransport]]:
    holder = HoldingServer()
    server = await asyncio.start_server(holder.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = HttpxTransport(
        f"http://127.0.0.1:{port}", "key", timeout=30.0, session=None, user_agent=None
    )
    try:
        yield holder, transport
    finally:
        await transport.aclose()
        server.close()
        await server.wait_closed()


async def become(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), 20)


def get(transport: HttpxTransport) -> Awaitable[object]:
    return transport.send(Request("GET", "/v2/teams"))


def test_requests_one_after_the_other_use_one_connection() -> None:
    async def scenario() -> None:
        async with holding() as (server, transport):
            server.released.set()
            for _ in range(3):
                await get(transport)
            assert server.connections == 1

    asyncio.run(scenario())


def test_unused_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx_sessions, "_KEPT", 0.0)

    async def scenario() -> None:
        async with holding() as (server, transport):
            gets = [asyncio.ensure_future(get(transport)) for _ in range(40)]
            await become(lambda: server.held == 40)
            server.released.set()
            await asyncio.gather(*gets)
            await get(transport)
            await become(lambda: server.connections <= 1)

    asyncio.run(scenario())


def test_closing_closes_all_connections() -> None:
    async def scenario() -> None:
        async with holding() as (server, transport):
            gets = [asyncio.ensure_future(get(transport)) for _ in range(40)]
            await become(lambda: server.held == 40)
            server.released.set()
            await asyncio.gather(*gets)
            await transport.aclose()
            await become(lambda: server.connections == 0)

    asyncio.run(scenario())
