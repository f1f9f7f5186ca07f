"""Lost servers: connected before, disconnected now, and not marked dead."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from duvo.local._cluster.heartbeat import find_lost


@pytest.mark.parametrize(
    ("observations", "lost"),
    [
        (["AB", "AB"], ["", ""]),
        # Lost until it is marked dead and no longer listed.
        (["AB", "Ab", "Ab", "A"], ["", "b", "b", ""]),
        (["AB", "Ab", "AB", "Ab"], ["", "b", "", "b"]),
        (["AB", "ab", "AB"], ["", "ab", ""]),
        # Servers that were never seen connected may be about to connect.
        (["ab", "ab"], ["", ""]),
        (["aB", "ab", "AB", "ab"], ["", "b", "", "ab"]),
        (["AB", "B", "aB"], ["", "", ""]),
    ],
)
def test_a_server_that_was_connected_and_is_not_any_more_is_lost(
    observations: list[str], lost: list[str]
) -> None:
    """Each letter is a living server; capital letters are connected."""
    seen: set[str] = set()
    found = [
        find_lost(seen, {letter.lower(): letter.isupper() for letter in letters})
        for letters in observations
    ]
    assert found == [set(letters) for letters in lost]
