"""The place in a list that may shift while it is read. Pure.

Each page begins with the last item of the page before. If its first item was not
seen and does not come before the last one seen, items have left the list further
up, and the cursor goes back a page.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .._models.times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LATE = timedelta(minutes=1)
"""How long after its creation an item may appear in its list."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Seen:
    """The items of a list that were seen.

    In order of creation, the last moment and its ids are enough to recognize
    them. In any other order all ids are remembered.

    Args:
        newest_first: how the list is ordered by creation; None if it is not.
        after: treat what comes before this time in the list as seen, or None.
    """

    def __init__(self, newest_first: bool | None, after: datetime | None = None):
        self._newest_first = newest_first
        self._ids: set[str] = set()
        self._last = None if after is None else self._place_of(after)

    def reaches(self, page: Sequence[Any]) -> bool:
        """Whether no item is missing between those seen and this page."""
        is_empty = not self._ids and self._last is None
        if is_empty or (page and id_of(page[0]) in self._ids):
            return True
        return bool(page) and self._is_before(self.place(page[0]))

    def add(self, page: Sequence[Any]) -> list[Any]:
        """Return the items that were not seen before, and remember them."""
        places = [self.place(item) for item in page]
        if not _are_sorted(places):
            self._newest_first = self._last = None
        new = []
        for item, place in zip(page, places, strict=True):
            item_id = id_of(item)
            if item_id in self._ids or self._is_before(place):
                continue
            if self._newest_first is not None and place != self._last:
                self._ids.clear()
                self._last = place
            if item_id is not None:
                self._ids.add(item_id)
            new.append(item)
        return new

    def place(self, item: Any) -> timedelta | None:
        """Return a value that increases along the list, or None if it is unknown."""
        if self._newest_first is None:
            return None
        created_at = timestamp(item.get("created_at"))
        return None if created_at is None else self._place_of(created_at)

    def _place_of(self, created_at: datetime) -> timedelta:
        return _EPOCH - created_at if self._newest_first else created_at - _EPOCH

    def _is_before(self, place: timedelta | None) -> bool:
        return place is not None and self._last is not None and place < self._last


class ListCursor:
    """Where to read next. Items without an id are new whenever they are read.

    Attributes:
        offset: of the next page.
        overlap: number of items of the last page that the next page begins with.
        is_done: whether the list was read to its end.
        is_searching: whether the last page had nothing new.
        repeated: number of pages in a row that were the same.
    """

    def __init__(
        self,
        offset: int = 0,
        newest_first: bool | None = None,
        after: datetime | None = None,
    ):
        self.offset = offset
        # The first page, too, must begin before the time after which items are wanted.
        self.overlap = int(after is not None)
        self.is_done = False
        self.is_searching = False
        self.repeated = 0
        self._seen = Seen(newest_first, after)
        # In order of creation, items before the first offset are known by their time.
        self._lowest = offset if newest_first is None else 0
        self._step = 1
        self._page: tuple[list[Any], int | None] | None = None

    @property
    def end(self) -> int:
        """The offset behind the last page."""
        return self.offset + self.overlap

    def record(self, page: Sequence[Any], *, asked: int, total: int | None) -> list[Any]:
        """Record the page at the offset; return its new items.

        Args:
            asked: maximum number of items that the page was to have.
            total: number of items in the list as reported, or None. It is only
                used to distinguish a small page from the last one.
        """
        if self.overlap and self.offset > self._lowest and not self._seen.reaches(page):
            self.offset = max(self._lowest, self.offset - max(self._step, asked - 1))
            self.is_searching = True
            return []
        before, self._page = self._page, ([id_of(item) or item for item in page], total)
        self.repeated = self.repeated + 1 if self._page == before else 0
        new = self._seen.add(page)
        self.is_searching = not new
        end = self.offset + len(page)
        self.is_done = not page or (len(page) < asked and (total is None or total <= end))
        self.overlap = int(len(page) > 1 and id_of(page[-1]) is not None)
        self._step = max(1, len(page) - 1)
        self.offset = end - self.overlap
        return new


def created_between(
    items: Sequence[Any], since: datetime | None, until: datetime | None, *, newest_first: bool
) -> tuple[list[Any], bool]:
    """Return the items that were created between these times, and whether no more will follow.

    Items without a time are returned too.

    Args:
        items: new items of a list that was asked for in this order.
    """
    times = [timestamp(item.get("created_at")) for item in items]
    known = [time for time in times if time is not None]
    is_past = False
    # A server that ignores the order begins at the other end.
    if known and newest_first:
        is_past = since is not None and known[0] >= known[-1] and known[-1] < since - LATE
    elif known:
        is_past = until is not None and known[0] <= known[-1] and known[-1] > until + LATE
    pairs = zip(items, times, strict=True)
    return [
        item for item, time in pairs if time is None or _is_between(time, since, until)
    ], is_past


def _is_between(time: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= time) and (until is None or time <= until)


def id_of(item: Any) -> str | None:
    """Return the id of an item of a list, or None if it has none."""
    item_id = item.get("id") if isinstance(item, dict) else None
    return item_id if isinstance(item_id, str) else None


def _are_sorted(places: Sequence[timedelta | None]) -> bool:
    known = [place for place in places if place is not None]
    return len(known) == len(places) and known == sorted(known)
