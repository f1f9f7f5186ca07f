"""Faults between the SDK and a server, chosen by seeds, lose and repeat nothing."""

from __future__ import annotations

import pytest

from tests.faults.playing import SCENARIOS, play, play_all
from tests.faults.seeds import FOUND
from tests.servers.engine_api import LocalApi

FULL = {**dict.fromkeys(SCENARIOS, 200), "resume": 60, "post": 60, "watch": 60}
QUICK = {**dict.fromkeys(SCENARIOS, 40), "resume": 20, "post": 20, "watch": 20}
AT_ONCE = 20


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "first" in metafunc.fixturenames:
        seeds = FULL if metafunc.config.getoption("full") else QUICK
        chunks = [(name, first) for name in seeds for first in range(0, seeds[name], AT_ONCE)]
        metafunc.parametrize(("name", "first"), chunks)


@pytest.mark.seeds
def test_faults_lose_and_repeat_nothing(engine: LocalApi, name: str, first: int) -> None:
    failed = play_all(engine, [name], range(first, first + AT_ONCE))
    if failed:
        raise failed[0]


@pytest.mark.parametrize(("name", "seed"), FOUND)
def test_seeds_that_once_failed_pass(engine: LocalApi, name: str, seed: int) -> None:
    play(engine, name, seed)
