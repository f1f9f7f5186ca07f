"""Searching the list for watched runs, without a server."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

from duvo._watch.search import PAGE, SearchByPlace

_BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def listed(count: int) -> list[tuple[str, str]]:
    """Ids and times of creation of as many runs, the newest first."""
    runs = [(f"run-{number}", _BEGIN + timedelta(minutes=number)) for number in range(count)]
    return [(run_id, created.isoformat()) for run_id, created in reversed(runs)]


def search(created_at: dict[str, str | None], runs: list[tuple[str, str]]) -> tuple[int, list[str]]:
    """Return the number of pages that the search reads, and what it misses."""
    found = SearchByPlace(created_at)
    pages = 0
    while (query := found.query()) is not None:
        pages += 1
        offset = int(dict(query)["offset"])
        found.record(runs[offset : offset + PAGE], len(runs))
    return pages, found.missed


def test_a_search_never_reads_more_pages_than_it_has_runs() -> None:
    longest = listed(3000)
    for seed in range(200):
        chance = random.Random(seed)
        runs = longest[chance.randrange(3000) :]
        watched = chance.sample(runs, min(len(runs), chance.choice([1, 3, 20, 200])))
        created_at: dict[str, str | None] = {
            run_id: created if chance.random() < 0.9 else None for run_id, created in watched
        }
        created_at |= {f"elsewhere-{n}": None for n in range(chance.choice([0, 0, 1, 10]))}
        pages, missed = search(created_at, runs)
        assert pages <= len(created_at), seed
        # Including the reads of single runs, at most two requests for each run.
        assert pages + len(missed) <= 2 * len(created_at), seed


def test_a_search_for_the_newest_runs_reads_the_fewest_pages() -> None:
    runs = listed(1000)
    assert search(dict(runs[:250]), runs) == (3, [])
    assert search({run_id: None for run_id, _ in runs[:100]}, runs) == (1, [])


def test_a_search_ends_at_its_oldest_run() -> None:
    runs = listed(1000)
    watched: dict[str, str | None] = {**dict(runs[:90]), "elsewhere": runs[89][1]}
    assert search(watched, runs) == (1, ["elsewhere"])


def test_a_search_for_a_single_old_run_ends_after_a_page() -> None:
    runs = listed(1000)
    oldest, created = runs[-1]
    assert search({oldest: created}, runs) == (1, [oldest])
