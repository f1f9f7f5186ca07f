"""A list of runs: its filters, its pages, and the two words for a stopped run."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

from .. import _errors
from .._flow.steps import Give
from .._http import paths
from .._list_cursor import Given
from .._models import wire
from .._pages import Pages
from .._run.state import RunState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._flow.steps import Flow
    from .._http.api import Api

    MakeRun = Callable[[RunState], Any]


class RunQuery:
    """A query for runs, and how much of it was read.

    A server may use either of two words for a stopped run, and accept either as
    a filter: that list is merged from two.

    Args:
        find_agent: finds the agent's id, or None for all agents.
        params: the other filters.
        status: one of our statuses, or None.
    """

    def __init__(
        self,
        api: Api,
        find_agent: Callable[[], Flow[str]] | None,
        params: list[tuple[str, str]],
        status: str | None,
        sort_order: str,
        limit: int | None,
        offset: int,
    ):
        if offset < 0 or (limit is not None and limit < 0):
            raise _errors.ConfigError("offset and limit must not be negative")
        self._api = api
        self._find_agent = find_agent
        self._agent_id: str | None = None
        self._params = [*params, ("sort_order", sort_order)]
        self._status = status
        self._newest_first = sort_order == "desc"
        self._limit = limit
        self._offset = offset
        self._pages: list[Pages] = []
        self._cut = False
        self._overlap = False

    @property
    def total(self) -> int | None:
        """Number of runs in all, as last reported, or None."""
        totals = [pages.total for pages in self._pages if pages.total is not None]
        if not totals:
            return None
        # If both words find the same runs, the two lists are one.
        return max(totals) if self._overlap else sum(totals)

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._cut or any(pages.more for pages in self._pages)

    def prepare(self) -> Flow[None]:
        """Find the team and the agent."""
        params = list(self._params)
        if self._find_agent is not None:
            self._agent_id = yield from self._find_agent()
            params.insert(0, ("agent_id", self._agent_id))
        path = paths.runs((yield from self._api.team_id()))
        is_merged = self._status in ("stopped", "interrupted")
        words = ("interrupted", "stopped") if is_merged else (self._status,)
        self._pages = [
            Pages(
                self._api,
                path,
                "data",
                params=params if word is None else [*params, ("status", word)],
                newest_first=self._newest_first,
                limit=None if is_merged else self._limit,
                offset=0 if is_merged else self._offset,
            )
            for word in words
        ]

    def give(self, make_run: MakeRun) -> Flow[None]:
        """Give the runs, each as the user's object for it."""
        if not self._pages:
            yield from self.prepare()
        if len(self._pages) > 1:
            yield from self._give_merged(make_run)
            return
        while (items := (yield from self._pages[0].next_page())) is not None:
            for item in items:
                wire.run(item)
            yield Give([make_run(_listed(item)) for item in items])

    def _give_merged(self, make_run: MakeRun) -> Flow[None]:
        merged = _Merged(self._pages, newest_first=self._newest_first)
        skipped = given = 0
        while (items := (yield from merged.next_page())) is not None:
            self._overlap = merged.overlap
            for item in items:
                if wire.run(item)["status"] != "stopped":
                    continue
                if skipped < self._offset:
                    skipped += 1
                    continue
                if given == self._limit:
                    self._cut = True
                    return
                given += 1
                yield Give([make_run(_listed(item))])


class _Merged:
    """Several lists, each in order of creation, merged.

    Attributes:
        overlap: whether an item was in two lists; it is returned once.
    """

    def __init__(self, lists: list[Pages], *, newest_first: bool):
        self.overlap = False
        self._given = Given(newest_first)
        self._queues: list[tuple[Pages, deque[dict[str, Any]]]] = [
            (pages, deque()) for pages in lists
        ]

    def next_page(self) -> Flow[list[dict[str, Any]] | None]:
        """Return the next items, as far as the pages reach that were read; None at the end."""
        for entry in list(self._queues):
            pages, queue = entry
            if not queue:
                try:
                    items = yield from pages.next_page()
                except _errors.InvalidRequest:
                    # The server does not know this word.
                    items = None
                if items is None:
                    self._queues.remove(entry)
                else:
                    queue.extend(items)
        if not self._queues:
            return None
        merged = []
        while all(queue for _, queue in self._queues):
            first = min((queue for _, queue in self._queues), key=self._place)
            merged.append(first.popleft())
        new = self._given.add(merged)
        self.overlap = self.overlap or len(new) < len(merged)
        return new

    def _place(self, queue: deque[dict[str, Any]]) -> timedelta:
        place = self._given.place(queue[0])
        return timedelta.min if place is None else place


def _listed(item: dict[str, Any]) -> RunState:
    return RunState(item["id"], item, listed=True)
