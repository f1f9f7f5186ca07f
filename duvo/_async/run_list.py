"""Made from _resources/run_list.py by docs/async_classes.py; change that file instead."""

from __future__ import annotations

from .._flow.iterators import AsyncClosableIterator
from .._lists.read_items import ReadItems
from .run import AsyncRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform_async import AsyncDriver
    from .._watch.run_query import RunQuery


class AsyncRunList(AsyncClosableIterator[AsyncRun]):
    """Runs, read a page at a time as needed."""

    def __init__(self, driver: AsyncDriver, query: RunQuery):
        self._query = query
        # The flow must not refer to this object.
        read = self._read = ReadItems("run")
        super().__init__(query.give(lambda state: read.add(AsyncRun(driver, state))), driver)

    @property
    def total(self) -> int | None:
        """Number of runs in all, as last reported, or None.

        With `since` or `until` it is known once the end of the list was read.
        """
        return self._query.total

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._query.more

    def __repr__(self) -> str:
        return f"<AsyncRunList {self._read.describe(self.total)}>"

    def _repr_html_(self) -> str:
        from .._resources.html import of_runs

        return of_runs(self._read, self.total)
