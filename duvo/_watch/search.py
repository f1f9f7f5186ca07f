"""Searching the list for known runs: which page to read next.

If the server can list the runs created since a time (`created_since`), and those
times are known, each page begins at the oldest run that is still missing. Then
other runs in between cost nothing, each page finds at least one run, and new runs
do not shift the pages. Otherwise the list is read from its newest run.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone

from .._lists.cursor import LATE
from .._models.times import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = 100
"""Maximum number of runs in a page."""

_UNKNOWN = datetime.min.replace(tzinfo=timezone.utc)


class SearchByTime:
    """Searches for runs whose times of creation, by id, are known.

    Attributes:
        missed: ids of the runs that were not where the list should have them.
    """

    def __init__(self, created_at: Mapping[str, str]):
        self.missed: list[str] = []
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
        return [("created_since", self._created_at[self._left[0]]), ("sort_order", "asc")]

    def record(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Record the page of the last query: each run's id and time of creation."""
        target = self._left.popleft()
        ids = {run_id for run_id, _ in page}
        self._found |= ids & self._created_at.keys()
        if target not in ids:
            self.missed.append(target)


class SearchByPlace:
    """Searches for runs from the newest run on, down to the oldest of them.

    It gives up once as many pages had none of the runs as runs are left: reading
    those themselves costs no more.
    """

    def __init__(self, created_at: Mapping[str, str | None]):
        self._left = {run_id: _moment(time) for run_id, time in created_at.items()}
        self._offset = 0
        self._in_vain = 0
        self._is_read = False

    @property
    def missed(self) -> list[str]:
        """Ids of the runs that were not found."""
        return sorted(self._left)

    def query(self) -> list[tuple[str, str]] | None:
        """Return the query of the next page, or None if the search has ended."""
        if self._is_read or self._in_vain >= len(self._left):
            return None
        return [("sort_order", "desc"), ("offset", str(self._offset))]

    def record(self, page: Sequence[tuple[str, object]], total: int | None) -> None:
        """Record the page of the last query: each run's id and time of creation."""
        found = [self._left.pop(run_id) for run_id, _ in page if run_id in self._left]
        self._in_vain += not found
        self._offset += len(page)
        is_end = not page or (total is not None and self._offset >= total)
        self._is_read = is_end or self._is_past(page[-1][1])

    def _is_past(self, last: object) -> bool:
        """Whether the runs after this time of creation are older than all that are left."""
        created_at = timestamp(last)
        oldest = min(self._left.values(), default=_UNKNOWN)
        return created_at is not None and created_at + LATE < oldest


def _moment(created_at: object) -> datetime:
    return timestamp(created_at) or _UNKNOWN
