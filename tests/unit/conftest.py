"""The clients of unit tests: what both promise is tested on both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM, Hosted
from tests.support.blocking import FacadeClient, LoopThread

SHARED = ("batch", "http", "resources", "run", "watch")
"""The folders whose tests are run with both clients."""

Connect = Callable[..., duvo.Client]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "blocking_only: about the blocking client alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = Path(metafunc.module.__file__ or "").parent.name
    if "connect" in metafunc.fixturenames and folder in SHARED:
        alone = metafunc.definition.get_closest_marker("blocking_only")
        metafunc.parametrize("connect", ["blocking", "async"][: 1 if alone else 2], indirect=True)


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The event loop of the async clients that are used as blocking ones."""
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes a client, blocking or async, from the arguments of `duvo.Client`."""
    make: Callable[..., Any] = duvo.Client
    if getattr(request, "param", "blocking") == "async":
        make = partial(FacadeClient, request.getfixturevalue("loop_thread"))
    with contextlib.ExitStack() as clients:
        yield lambda *given, **named: clients.enter_context(make(*given, **named))


@pytest.fixture
def client(connect: Connect, hosted: Hosted) -> duvo.Client:
    """A client of the hosted server, blocking or async."""
    return connect(api_key=KEY, base_url=hosted.base_url, team_id=TEAM)
