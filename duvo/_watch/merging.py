"""Lists of runs made of other lists: merged, or reversed."""

from __future__ import annotations

from collections import Counter, deque
from datetime import timedelta

from .. import _errors
from .._lists.cursor import Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .._flow.steps import Flow
    from .._lists.pages import Pages


class Merged:
    """Several lists, each in order of creation, merged.

    Args:
        lists: each list with its name. Of the lists with the same name, the server may
            refuse all but one.

    Attributes:
        overlap: whether an item was in two lists; it is returned once.
    """

    def __init__(self, lists: Iterable[tuple[str, Pages]], *, newest_first: bool):
        self.overlap = False
        self._seen = Seen(newest_first)
        self._queues: list[tuple[str, Pages, deque[dict[str, Any]]]] = [
            (name, pages, deque()) for name, pages in lists
        ]
        self._not_refused = Counter(name for name, *_ in self._queues)
        self._begun: set[Pages] = set()

    def next_page(self) -> Flow[list[dict[str, Any]] | None]:
        """Return the next items, as far as the pages reach that were read; None at the end."""
        for entry in list(self._queues):
            name, pages, queue = entry
            if not queue:
                try:
                    items = yield from pages.next_page()
                except _errors.InvalidRequest:
                    # The server may know the list by another word.
                    self._not_refused[name] -= 1
                    if pages in self._begun or not self._not_refused[name]:
                        raise
                    items = None
                self._begun.add(pages)
                if items is None:
                    self._queues.remove(entry)
                else:
                    queue.extend(items)
        if not self._queues:
            return None
        merged = []
        while all(queue for *_, queue in self._queues):
            first = min((queue for *_, queue in self._queues), key=self._place)
            merged.append(first.popleft())
        new = self._seen.add(merged)
        self.overlap = self.overlap or len(new) < len(merged)
        return new

    def _place(self, queue: deque[dict[str, Any]]) -> timedelta:
        place = self._seen.place(queue[0])
        return timedelta.min if place is None else place


class Reversed:
    """A list in the opposite order; it is read to its end first."""

    def __init__(self, pages: Pages | Merged):
        self._pages = pages
        self._is_read = False

    def next_page(self) -> Flow[list[dict[str, Any]] | None]:
        """Return all items, or None if they were returned."""
        if self._is_read:
            return None
        self._is_read = True
        items: list[dict[str, Any]] = []
        while (page := (yield from self._pages.next_page())) is not None:
            items += page
        return items[::-1]
