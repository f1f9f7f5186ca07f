"""Lists of runs."""

from __future__ import annotations

from .. import _errors
from .._flow.iterators import ClosableIterator
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from .._flow.perform import Driver
    from .._watch.run_query import RunQuery


class RunList(ClosableIterator[Run]):
    """Runs, read a page at a time as needed.

    Attributes:
        total: number of runs in all, as last reported, or None.
        more: whether a limit cut the list.
    """

    def __init__(self, driver: Driver, query: RunQuery):
        self._query = query
        super().__init__(query.give(lambda state: Run(driver, state)), driver)

    @property
    def total(self) -> int | None:
        """Number of runs in all, as last reported, or None."""
        return self._query.total

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._query.more


def created_since(since: datetime | str) -> str:
    """Return a time in the form that the API expects."""
    from datetime import timezone

    from .._models import times

    moment = times.timestamp(since) if isinstance(since, str) else since
    if moment is None:
        raise _errors.ConfigError(f"{since!r} is not a time such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        raise _errors.ConfigError(f"{since!r} is out of range for a time") from None
