"""The limit of requests a minute."""

from __future__ import annotations

from duvo.local._api.rate_limit import RateLimit


def test_requests_above_the_limit_are_refused_until_the_next_window() -> None:
    limit = RateLimit(2)
    assert [limit.count(100.0)["x-ratelimit-remaining"] for _ in range(2)] == ["1", "0"]
    for _ in range(2):
        assert limit.count(130.5) == {
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "160",
            "retry-after": "30",
        }
    assert limit.count(160.0)["x-ratelimit-remaining"] == "1"


def test_a_clock_that_is_set_back_starts_a_new_window() -> None:
    limit = RateLimit(1)
    limit.count(10_000.0)
    assert limit.count(10_001.0)["retry-after"] == "59"
    assert "retry-after" not in limit.count(5_000.0)


def test_only_a_refusal_has_a_retry_after_header() -> None:
    limit = RateLimit(1)
    assert "retry-after" not in limit.count(0.0)
    assert limit.count(59.9)["retry-after"] == "1"
