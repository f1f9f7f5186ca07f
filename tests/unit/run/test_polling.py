"""Pauses between polls."""

from __future__ import annotations

from duvo._run.polling import next_pause
from tests.benchmarks.pace import BURSTS, TRICKLE, compare


def test_pauses_grow_while_nothing_changes_and_shrink_on_activity() -> None:
    waits = [0.0]
    for _ in range(12):
        waits.append(next_pause(waits[-1], activity=False))
    assert [round(wait, 2) for wait in waits[1:]] == [
        1.0,
        1.3,
        1.69,
        2.2,
        2.86,
        3.71,
        4.83,
        6.27,
        8.0,
        8.0,
        8.0,
        8.0,
    ]
    assert next_pause(8.0, activity=True) == 1.0


def test_polling_costs_less_than_fixed_polling_on_bursts_and_little_more_on_a_trickle() -> None:
    assert compare(BURSTS) <= 0.65
    assert compare(TRICKLE) <= 1.5
