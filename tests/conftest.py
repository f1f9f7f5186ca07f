"""Options and fixtures of all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import duvo
from duvo._http import rate_limit
from tests.servers.fake_api import KEY, TEAM, FakeAPI, serving
from tests.support.clocks import StoppedClock

# The same examples each time; HYPOTHESIS_PROFILE=search looks for new ones, and longer.
settings.register_profile("quick", derandomize=True, deadline=None, database=None, max_examples=30)
settings.register_profile("full", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, database=None, max_examples=5000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rest",
        action="store_true",
        help="run what is left out without it: long tests, and the other seeds of schedules",
    )
    parser.addoption("--seeds", type=int, metavar="N", help="run each fault schedule with N seeds")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers for each core: half of the time, a test waits for another process."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    # A shell ignores the first in what runs in the background, `nohup` the second, and
    # commands would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    profile = "full" if config.getoption("rest") else "quick"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", profile))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `seeds(quick=…, full=…)` with the first seeds, or with the rest."""
    marker = metafunc.definition.get_closest_marker("seeds")
    if marker is not None and "seed" in metafunc.fixturenames:
        quick, full = marker.kwargs["quick"], marker.kwargs["full"]
        if not metafunc.config.getoption("rest"):
            seeds = range(quick)
        elif metafunc.definition.get_closest_marker("long"):
            seeds = range(full)
        else:
            seeds = range(quick, full)
        metafunc.parametrize("seed", seeds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `long`; with --rest, run them and those marked `seeds` alone.

    Tests that are named, as in `test_map.py::test_…`, are not left out.
    """
    if any("::" in argument for argument in config.args):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    if config.getoption("rest"):
        seeds = [item for item in others if item.get_closest_marker("seeds")]
        left_out = [item for item in others if not item.get_closest_marker("seeds")]
        # The long ones first, so that no core is idle at the end.
        items[:] = long + seeds
    else:
        left_out, items[:] = long, others
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """True when tests marked `seeds` run in full."""
    return bool(pytestconfig.getoption("rest"))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the settings, proxies, profiles and terminal size of the tests' environment."""
    for name in list(os.environ):
        if (
            name.startswith(("DUVO_", "SSL_CERT"))
            or "CA_BUNDLE" in name
            or "_PROXY" in name.upper()
            # The size of a terminal: readline exports it to the workers.
            or name in ("COLUMNS", "LINES")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DUVO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("DUVO_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def own_rate_limits() -> None:
    """Forget the rate limits of earlier servers: a test's server may get the port of one.

    A client that was not collected yet keeps the limit of its server.
    """
    rate_limit._known.clear()


@pytest.fixture
def fake_api() -> Iterator[FakeAPI]:
    """A running server with the hosted API's shapes."""
    with serving(FakeAPI()) as server:
        yield server


@pytest.fixture
def client(fake_api: FakeAPI) -> Iterator[duvo.Client]:
    """A client of the fake API."""
    with duvo.Client(api_key=KEY, base_url=fake_api.base_url, team_id=TEAM) as client:
        yield client


@pytest.fixture
def clock(client: duvo.Client) -> StoppedClock:
    """The client's clock, on which time passes only while it sleeps."""
    clock = StoppedClock()
    client._driver.api.clock = clock
    return clock
