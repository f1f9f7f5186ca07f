"""Which page of the list tells of runs that are looked for. Pure.

The list is searched by time where it is known when the runs were created: a
page begins at the oldest run that is still looked for, so that runs in between
which nobody looks for cost nothing, each page finds one run at least, and no
page shifts when new runs come. Otherwise it is read from its newest run on.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone

from .._models.times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE = 100
"""Runs that a page may have at most."""

_UNKNOWN = datetime.min.replace(tzinfo=timezone.utc)


class SearchByTime:
    """Looks for runs whose times of creation are known.

    Args:
        created_at: when each was created, by id, as the server tells it.

    Attributes:
        missed: ids of runs that the list did not tell of where they had to be.
        is_misled: whether the server gave runs of another time than was asked
            for, or in another order.
    """

    def __init__(self, created_at: Mapping[str, str]):
        self.missed: list[str] = []
        self.is_misled = False
        self._created_at = created_at
        self._left = deque(sorted(created_at, key=lambda one: (_moment(created_at[one]), one)))
        self._found: set[str] = set()

    def query(self) -> list[tuple[str, str]] | None:
        """The query of the next page, or None when nothing more is to be read."""
        while self._left and self._left[0] in self._found:
            self._left.popleft()
        if not self._left:
            return None
        return [("since", self._created_at[self._left[0]]), ("sort_order", "asc")]

    def take(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Take in the page that was asked for: id and time of creation of each of its runs."""
        target = self._left.popleft()
        moments = [_moment(self._created_at[target]), *(_moment(time) for _, time in page)]
        self.is_misled = self.is_misled or moments != sorted(moments)
        ids = {run_id for run_id, _ in page}
        self._found |= ids & self._created_at.keys()
        if target not in ids:
            self.missed.append(target)


class SearchByPlace:
    """Looks for runs of which nothing is known but their ids.

    It reads no more pages than there are runs: reading each by itself would
    cost as much.

    Attributes:
        missed: ids of runs that were not found.
    """

    is_misled = False

    def __init__(self, run_ids: Iterable[str]):
        self._left = set(run_ids)
        self._pages = len(self._left)
        self._offset = 0
        self._is_through = False

    @property
    def missed(self) -> list[str]:
        return sorted(self._left)

    def query(self) -> list[tuple[str, str]] | None:
        """The query of the next page, or None when nothing more is to be read."""
        if self._is_through or not self._left or self._pages == 0:
            return None
        self._pages -= 1
        return [("offset", str(self._offset))]

    def take(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Take in the page that was asked for: id and time of creation of each of its runs."""
        self._left.difference_update(run_id for run_id, _ in page)
        self._offset += len(page)
        self._is_through = not page or (total is not None and self._offset >= total)


def _moment(created_at: object) -> datetime:
    return timestamp(created_at) or _UNKNOWN
