"""All that can go wrong between the SDK and a server, by seeds: nothing is lost or doubled."""

from __future__ import annotations

import pytest

from tests.faults.playing import SCENARIOS, play_all
from tests.local_api import LocalApi

SEEDS, AT_ONCE = 200, 50


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_survives_what_happens(engine: LocalApi, name: str, first: int) -> None:
    failed = play_all(engine, [name], range(first, first + AT_ONCE))
    if failed:
        raise failed[0]
