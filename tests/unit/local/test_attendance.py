"""A server is missed when its connection broke and did not come back."""

from __future__ import annotations

import pytest

from duvo.local._cluster.lost_servers import Attendance


@pytest.mark.parametrize(
    ("looks", "missed"),
    [
        (["AB", "AB"], ["", ""]),
        # For as long as it is taken to live.
        (["AB", "Ab", "Ab", "A"], ["", "b", "b", ""]),
        (["AB", "Ab", "AB", "Ab"], ["", "b", "", "b"]),
        (["AB", "ab", "AB"], ["", "ab", ""]),
        # Who was never seen may have yet to connect.
        (["ab", "ab"], ["", ""]),
        (["aB", "ab", "AB", "ab"], ["", "b", "", "ab"]),
        (["AB", "B", "aB"], ["", "", ""]),
    ],
)
def test_who_was_connected_and_is_not_any_more_is_missed(
    looks: list[str], missed: list[str]
) -> None:
    """Each look has the living; a capital letter is a connected one."""
    attendance = Attendance()
    found = [attendance.look({one.lower(): one.isupper() for one in look}) for look in looks]
    assert found == [set(one) for one in missed]
