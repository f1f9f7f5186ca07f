"""A server is missed when its connection broke and did not come back."""

from __future__ import annotations

import pytest

from duvo.local._attendance import Attendance


@pytest.mark.parametrize(
    ("looks", "gone"),
    [
        (["ab", "ab", "ab"], ["", "", ""]),
        (["ab", "a", "a", "a"], ["", "", "b", ""]),
        (["ab", "a", "ab", "a", "a"], ["", "", "", "", "b"]),
        (["abc", "a", ""], ["", "", "bc"]),
        (["abc", "", "", ""], ["", "", "abc", ""]),
        # Who was never seen may have yet to connect.
        (["", "", ""], ["", "", ""]),
        (["a", "", "a", ""], ["", "", "", ""]),
    ],
)
def test_gone_is_who_was_seen_and_is_missing_twice_running(
    looks: list[str], gone: list[str]
) -> None:
    attendance = Attendance()
    assert [attendance.look(set(look)) for look in looks] == [set(one) for one in gone]
