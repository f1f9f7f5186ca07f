"""Fixtures that make a client, blocking or async: a test that uses them serves both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM, Hosted
from tests.support.blocking import FacadeClient, LoopThread

Connect = Callable[..., duvo.Client]


def use_both_clients(metafunc: pytest.Metafunc) -> None:
    """Run a test with each client, unless it is marked as `blocking_only`."""
    if "connect" in metafunc.fixturenames:
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
