"""What tests of every kind are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import duvo
from tests.servers.fake_api import KEY, TEAM, Hosted, serving
from tests.support.clocks import StoppedClock

# The same examples each time; HYPOTHESIS_PROFILE=search looks for new ones, and longer.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, database=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, profile or proxy of whoever runs the tests is seen by any of them."""
    for name in list(os.environ):
        if (
            name.startswith(("DUVO_", "SSL_CERT"))
            or "CA_BUNDLE" in name
            or "_PROXY" in name.upper()
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DUVO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("DUVO_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    """A running server that speaks the hosted API's shapes only."""
    with serving(Hosted()) as server:
        yield server


@pytest.fixture
def client(hosted: Hosted) -> Iterator[duvo.Client]:
    """A client of the hosted server."""
    with duvo.Client(api_key=KEY, base_url=hosted.base_url, team_id=TEAM) as client:
        yield client


@pytest.fixture
def clock(client: duvo.Client) -> StoppedClock:
    """The client's clock, which passes only by its sleeping."""
    clock = StoppedClock()
    client._driver.api.clock = clock
    return clock
