"""Searching the list for known runs: which page to read next.

If the runs' times of creation are known, the list is searched by time: each page
begins at the oldest run that is still missing. Then other runs in between cost
nothing, each page finds at least one run, and new runs do not shift the pages.
Otherwise the list is read from its newest run.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone

from .._models.times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE = 100
"""Maximum number of runs in a page."""

_UNKNOWN = datetime.min.replace(tzinfo=timezone.utc)


class SearchByTime:
    """Searches for runs whose times of creation are known.

    Args:
        created_at: when each run was created, by id, as the server reports it.

    Attributes:
        missed: ids of the runs that were not where the list should have them.
        is_misled: whether the server ignored the time or the order that it was
            asked for.
    """

    def __init__(self, created_at: Mapping[str, str]):
        self.missed: list[str] = []
        self.is_misled = False
        self._created_at = created_at
        self._left = deque(sorted(created_at, key=self._place))
        self._found: set[str] = set()

    def _place(self, run_id: str) -> tuple[datetime, str]:
        return _moment(self._created_at[run_id]), run_id

    def query(self) -> list[tuple[str, str]] | None:
        """Return the query of the next page, or None if the search has ended."""
        while self._left and self._left[0] in self._found:
            self._left.popleft()
        if not self._left:
            return None
        return [("since", self._created_at[self._left[0]]), ("sort_order", "asc")]

    def record(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Record the page of the last query: each run's id and time of creation."""
        target = self._left.popleft()
        moments = [_moment(self._created_at[target]), *(_moment(time) for _, time in page)]
        self.is_misled = self.is_misled or moments != sorted(moments)
        ids = {run_id for run_id, _ in page}
        self._found |= ids & self._created_at.keys()
        if target not in ids:
            self.missed.append(target)


class SearchByPlace:
    """Searches for runs of which only the ids are known.

    It reads at most as many pages as there are runs: reading the runs themselves
    would cost as much.

    Attributes:
        missed: ids of the runs that were not found.
    """

    is_misled = False

    def __init__(self, run_ids: Iterable[str]):
        self._left = set(run_ids)
        self._pages = len(self._left)
        self._offset = 0
        self._is_read = False

    @property
    def missed(self) -> list[str]:
        """Ids of the runs that were not found."""
        return sorted(self._left)

    def query(self) -> list[tuple[str, str]] | None:
        """Return the query of the next page, or None if the search has ended."""
        if self._is_read or not self._left or self._pages == 0:
            return None
        self._pages -= 1
        return [("offset", str(self._offset))]

    def record(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Record the page of the last query: each run's id and time of creation."""
        self._left.difference_update(run_id for run_id, _ in page)
        self._offset += len(page)
        self._is_read = not page or (total is not None and self._offset >= total)


def _moment(created_at: object) -> datetime:
    return timestamp(created_at) or _UNKNOWN
