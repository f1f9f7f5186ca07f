"""Reading a list that shifts between pages, simulated without a server."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from duvo._lists.cursor import ListCursor, Seen

_BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def item(number: int, a_moment: int = 1) -> dict[str, Any]:
    """The item with this number; `a_moment` items in a row were created at once."""
    created = _BEGIN + timedelta(milliseconds=number // a_moment)
    return {"id": f"run-{number:05d}", "created_at": created.isoformat()}


class ShiftingList:
    """A list that items leave, enter and return to between two pages.

    Attributes:
        stay: ids of the items that were in the list all the time.
    """

    def __init__(self, seed: int, *, newest_first: bool):
        self._chance = random.Random(seed)
        self._newest_first = newest_first
        self._a_moment = self._chance.choice([1, 3, 40])
        self._size = self._chance.randrange(60)
        self._items = [item(number, self._a_moment) for number in range(self._size)]
        self._left: list[dict[str, Any]] = []
        self.stay = {one["id"] for one in self._items}

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items, in the order of the list."""
        return sorted(self._items, key=lambda one: str(one["id"]), reverse=self._newest_first)

    def shift(self, given: list[str], *, may_grow: bool) -> None:
        """Change the list; `given` may leave it all at once."""
        for _ in range(self._chance.choice([0, 0, 1, 3, 15])):
            what = self._chance.random()
            if what < 0.5 and self._items:
                self._leave(self._chance.choice(self._items))
            elif what < 0.85 and may_grow:
                self._items.append(item(self._size, self._a_moment))
                self._size += 1
            elif self._left and may_grow:
                self._items.append(self._left.pop())
        if self._chance.random() < 0.2:
            for one in [one for one in self._items if one["id"] in given]:
                self._leave(one)

    def _leave(self, one: dict[str, Any]) -> None:
        self._items.remove(one)
        self._left.append(one)
        self.stay.discard(one["id"])


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_items_that_stay_in_a_shifting_list_are_yielded_once(
    newest_first: bool, is_ordered: bool
) -> None:
    for seed in range(400):
        chance = random.Random(-seed)
        shifting = ShiftingList(seed, newest_first=newest_first)
        cursor = ListCursor(newest_first=newest_first if is_ordered else None)
        asked = chance.choice([2, 3, 5, 10])
        # A server may have smaller pages than it is asked for.
        size = max(2, asked - chance.choice([0, 0, 2]))
        given: list[str] = []
        for reads in range(2000):
            items = shifting.items
            page = items[cursor.offset : cursor.offset + size]
            total = None if size == asked and chance.random() < 0.5 else len(items)
            given += [one["id"] for one in cursor.record(page, asked=asked, total=total)]
            if cursor.is_done:
                break
            shifting.shift(given, may_grow=reads < 60)
        assert cursor.is_done, seed
        assert not shifting.stay - set(given), seed
        assert len(given) == len(set(given)), seed


def test_pages_of_an_unchanged_list_overlap_by_one_item() -> None:
    items = [item(number) for number in range(250)][::-1]
    cursor = ListCursor(newest_first=True)
    offsets = []
    while not cursor.is_done:
        offsets.append(cursor.offset)
        cursor.record(items[cursor.offset :][:100], asked=100, total=250)
    assert offsets == [0, 99, 198]


def test_an_empty_first_page_ends_the_list() -> None:
    cursor = ListCursor()
    assert cursor.record([], asked=100, total=7) == []
    assert cursor.is_done


@pytest.mark.parametrize("items", [[1, 1, 1, 1, 1], [{"name": "a"}] * 5])
def test_items_without_an_id_are_yielded_as_they_come(items: list[Any]) -> None:
    cursor = ListCursor()
    given = []
    while not cursor.is_done:
        given += cursor.record(items[cursor.offset :][:2], asked=2, total=5)
    assert given == items


@pytest.mark.parametrize("spoil", ["order", "time"])
def test_a_list_in_another_order_than_requested_is_yielded_whole(spoil: str) -> None:
    items = [item(number) for number in range(50)]
    if spoil == "time":
        items = [{**one, "created_at": None} for one in items]
    cursor = ListCursor(newest_first=True)
    given = []
    while not cursor.is_done:
        given += cursor.record(items[cursor.offset :][:10], asked=10, total=50)
    assert given == items


def test_only_the_ids_of_the_last_moment_are_remembered() -> None:
    seen = Seen(newest_first=False)
    for number in range(0, 1000, 10):
        seen.add([item(one, 4) for one in range(number, number + 10)])
    assert seen._ids == {"run-00996", "run-00997", "run-00998", "run-00999"}
