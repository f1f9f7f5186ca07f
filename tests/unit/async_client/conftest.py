"""An async client of the fake API, and requests that the server holds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

import psutil
import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM, FakeAPI, ReceivedRequest
from tests.unit.batch.conftest import quick_pace

__all__ = ["quick_pace"]


@pytest.fixture
def anyio_backend() -> str:
    """Only asyncio is supported."""
    return "asyncio"


@pytest.fixture
async def client(fake_api: FakeAPI) -> AsyncIterator[duvo.AsyncClient]:
    """An async client of the fake API."""
    async with duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url, team_id=TEAM) as client:
        yield client


class Held:
    """Holds requests at the server.

    Attributes:
        holds: whether a request is held.
        count: requests that have been held.
        release: set to answer them all.
    """

    def __init__(self, fake_api: FakeAPI):
        self.holds: Callable[[ReceivedRequest], bool] = lambda seen: "wait" in seen.query
        self.count = 0
        self.release = threading.Event()
        fake_api.headers["duvo-long-poll"] = "25"
        fake_api.after = self._hold

    def _hold(self, seen: ReceivedRequest) -> None:
        if not self.release.is_set() and self.holds(seen):
            self.count += 1
            self.release.wait(30)

    async def reached(self, count: int = 1) -> None:
        """Wait until this many requests have been held."""
        await until(lambda: self.count >= count)


@pytest.fixture
def held(fake_api: FakeAPI) -> Iterator[Held]:
    """Requests that the server holds: by default, all that ask it to."""
    held = Held(fake_api)
    yield held
    held.release.set()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "it never came to hold"
        await asyncio.sleep(0.01)


def connections(fake_api: FakeAPI) -> int:
    """Return how many connections this process has to the server."""
    port = urlsplit(fake_api.base_url).port
    return sum(
        1
        for connection in psutil.Process().net_connections("tcp")
        if connection.raddr and connection.raddr.port == port and connection.status == "ESTABLISHED"
    )
