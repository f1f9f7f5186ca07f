"""When the next read is made: the schedule, and the share of a rate limit."""

from __future__ import annotations

import pytest

from duvo._pace import Budget, next_wait
from tests.benchmarks.pace import BURSTS, TRICKLE, compare


def test_waits_grow_while_nothing_comes_and_fall_back_on_activity() -> None:
    waits = [0.0]
    for _ in range(12):
        waits.append(next_wait(waits[-1], activity=False))
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
    assert next_wait(8.0, activity=True) == 1.0


def test_a_full_budget_asks_for_no_longer_wait() -> None:
    budget = Budget()
    assert budget.wait(299, 1060.0, 1000.0) < 1


def test_what_others_spend_between_two_reads_is_counted() -> None:
    budget = Budget()
    budget.wait(300, 1060.0, 1000.0)
    # Fifty readers spent 100 of it in this round; two rounds are left, for 58 seconds.
    assert budget.wait(200, 1060.0, 1002.0) == pytest.approx(29.0)


def test_an_empty_budget_waits_for_the_next_window() -> None:
    assert Budget().wait(0, 1030.0, 1000.0) == 30.0


@pytest.mark.parametrize("resets_at", [900.0, 1e12])
def test_a_window_that_cannot_be_is_passed_over(resets_at: float) -> None:
    assert Budget().wait(5, resets_at, 1000.0) == 0.0


def test_the_schedule_beats_fixed_polling_on_bursts_and_loses_little_on_a_trickle() -> None:
    assert compare(BURSTS) <= 0.65
    assert compare(TRICKLE) <= 1.5
