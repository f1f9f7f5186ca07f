"""All that can go wrong between the SDK and a server, by seeds: nothing is lost or doubled."""

from __future__ import annotations

import pytest

from tests.faults.playing import SCENARIOS, play, play_all
from tests.faults.seeds import FOUND
from tests.servers.engine_api import LocalApi

SEEDS = {**dict.fromkeys(SCENARIOS, 200), "resume": 60, "post": 60, "watch": 60}
AT_ONCE = 20
CHUNKS = [(name, first) for name in SCENARIOS for first in range(0, SEEDS[name], AT_ONCE)]


@pytest.mark.parametrize(("name", "first"), CHUNKS)
def test_nothing_is_lost_or_doubled(engine: LocalApi, name: str, first: int) -> None:
    failed = play_all(engine, [name], range(first, first + AT_ONCE))
    if failed:
        raise failed[0]


@pytest.mark.parametrize(("name", "seed"), FOUND)
def test_what_was_found_once_stays_mended(engine: LocalApi, name: str, seed: int) -> None:
    play(engine, name, seed)
