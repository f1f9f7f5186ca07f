"""Faults between the SDK and a server, chosen by seeds, lose and repeat nothing."""

from __future__ import annotations

import pytest

from tests.faults.runner import CLIENTS, SCENARIOS, play, play_all
from tests.faults.seeds import FOUND
from tests.servers.engine_api import EngineAPI

SMALL = ("resume", "post", "watch")
"""Scenarios that share their flows with others."""

QUICK = {"blocking": 10, "async": 10}
FULL = {"blocking": 200, "async": 60}
"""Seeds of each scenario with `--rest`; small ones and the async client take up to 60.

`--seeds N` sets another number for all.
"""

AT_ONCE = 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "first" in metafunc.fixturenames:
        chunks = [
            (client, name, first)
            for client in CLIENTS
            for name in SCENARIOS
            for first in range(*_seeds(metafunc.config, client, name), AT_ONCE)
        ]
        metafunc.parametrize(("by", "name", "first"), chunks)


def _seeds(config: pytest.Config, client: str, name: str) -> tuple[int, int]:
    if config.getoption("seeds"):
        return 0, int(config.getoption("seeds"))
    if not config.getoption("rest"):
        return 0, QUICK[client]
    return QUICK[client], min(FULL[client], 60) if name in SMALL else FULL[client]


@pytest.mark.seeds
def test_faults_lose_and_repeat_nothing(engine: EngineAPI, by: str, name: str, first: int) -> None:
    failed = play_all(engine, by, [name], range(first, first + AT_ONCE))
    if failed:
        raise failed[0]


@pytest.mark.parametrize("by", CLIENTS)
@pytest.mark.parametrize(("name", "seed"), FOUND)
def test_seeds_that_once_failed_pass(engine: EngineAPI, by: str, name: str, seed: int) -> None:
    play(engine, by, name, seed)
