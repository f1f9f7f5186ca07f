"""A list of runs: its filters, its pages, and the two words for a stopped run."""

from __future__ import annotations

from collections import deque

from .. import _errors
from .._flow.steps import Give
from .._http import paths
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

_REMEMBERED = 200


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
        recent: deque[str] = deque(maxlen=_REMEMBERED)
        while (item := (yield from merged.next_item())) is not None:
            if item["id"] in recent:
                self._overlap = True
                continue
            if wire.run(item)["status"] != "stopped":
                continue
            recent.append(item["id"])
            if skipped < self._offset:
                skipped += 1
                continue
            if given == self._limit:
                self._cut = True
                return
            given += 1
            yield Give([make_run(_listed(item))])


class _Merged:
    """Several lists, each in order of creation, merged."""

    def __init__(self, lists: list[Pages], *, newest_first: bool):
        self._queues: list[tuple[Pages, deque[dict[str, Any]]]] = [
            (pages, deque()) for pages in lists
        ]
        self._choose = max if newest_first else min

    def next_item(self) -> Flow[dict[str, Any] | None]:
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
        queues = [queue for _, queue in self._queues]
        return self._choose(queues, key=lambda queue: str(queue[0].get("created_at"))).popleft()


def _listed(item: dict[str, Any]) -> RunState:
    return RunState(item["id"], item, listed=True)
