"""A list of runs: its filters, its pages, and the two words for a stopped run."""

from __future__ import annotations

from .. import _errors
from .._flow.steps import Give
from .._http import paths
from .._lists.pages import Pages
from .._models import wire
from .._models.times import api_text, users_time
from .._run.state import RunState
from .._settings.arguments import checked_count
from .._settings.credentials import checked_id
from .merging import Merged, Reversed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from typing import Any, TypeAlias

    from .._flow.steps import Flow
    from .._http.api import Api

    FindAgent = Callable[..., Flow[str]]
    Moment: TypeAlias = datetime | date | str
    MakeRun = Callable[[RunState], Any]


class RunQuery:
    """A query for runs, and how much of it was read.

    A server may use either of two words for a stopped run, and accept either as
    a filter: that list is merged from two. A list of the runs created since a
    time is read newest first, and reversed if the oldest are wanted first.

    Args:
        find_agent: finds the agent's id, other than one that is passed; None for all agents.
        params: the other filters.
        status: one of our statuses or several, or None.
        since: only runs created at or after this time, or None.
        until: only runs created at or before this time, or None.
    """

    def __init__(
        self,
        api: Api,
        find_agent: FindAgent | None,
        params: list[tuple[str, str]],
        status: str | Sequence[str] | None,
        sort_order: str,
        limit: int | None,
        offset: int,
        since: Moment | None = None,
        until: Moment | None = None,
    ):
        self._api = api
        self._find_agent = find_agent
        self._agent_id: str | None = None
        self._has_given = False
        self._params = params
        self._statuses = _statuses(status)
        self._sort_order = sort_order
        self._limit = None if limit is None else checked_count(limit, "limit")
        self._offset = checked_count(offset, "offset")
        self._since = None if since is None else users_time(since)
        self._until = None if until is None else users_time(until)
        self._pages: list[Pages] = []
        self._merged: Merged | None = None
        # Of a list that the server does not cut: whether a limit cut it, and the
        # number of runs once its end was read.
        self._cut = False
        self._total: int | None = None

    @property
    def total(self) -> int | None:
        """Number of runs in all, as last reported, or None.

        With `since` or `until` it is known once the end of the list was read.
        """
        if self._is_cut_by_time:
            return self._total
        totals = [pages.total for pages in self._pages if pages.total is not None]
        if not totals:
            return None
        if self._merged and self._merged.overlap:
            # If both words find the same runs, the two lists are one.
            return max(totals) if len(totals) == 2 else self._total
        return sum(totals)

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._cut or any(pages.more for pages in self._pages)

    @property
    def _is_merged(self) -> bool:
        return len(self._words) > 1

    @property
    def _words(self) -> tuple[str | None, ...]:
        """The API's words for the statuses; None for all runs."""
        words: list[str] = []
        for status in self._statuses:
            is_stopped = status in ("stopped", "interrupted")
            words += ("interrupted", "stopped") if is_stopped else (status,)
        return tuple(dict.fromkeys(words)) or (None,)

    @property
    def _is_cut_by_time(self) -> bool:
        return self._since is not None or self._until is not None

    @property
    def _is_cut_by_server(self) -> bool:
        return not self._is_cut_by_time and not self._is_merged

    def prepare(self, gone: str | None = None) -> Flow[None]:
        """Find the team and the agent, which has another id than `gone`."""
        order = self._sort_order if self._since is None else "desc"
        params = [*self._params, ("sort_order", order)]
        if self._find_agent is not None:
            self._agent_id = yield from self._find_agent(gone)
            params.insert(0, ("agent_id", self._agent_id))
        path = paths.runs((yield from self._api.team_id()))
        self._pages = [
            Pages(
                self._api,
                path,
                "data",
                params=params if word is None else [*params, ("status", word)],
                newest_first=order == "desc",
                since=self._since,
                until=self._until,
                limit=self._limit if self._is_cut_by_server else None,
                offset=self._offset if self._is_cut_by_server else 0,
            )
            for word in self._words
        ]
        if self._is_merged:
            names = [_named(word) for word in self._words if word is not None]
            lists = zip(names, self._pages, strict=True)
            self._merged = Merged(lists, newest_first=order == "desc")

    def give(self, make_run: MakeRun) -> Flow[None]:
        """Give the runs, each as the user's object for it."""
        if not self._pages:
            yield from self.prepare()
        try:
            yield from self._give(make_run)
        except _errors.NotFound:
            before = self._agent_id
            if before is None or self._has_given:
                raise
            yield from self.prepare(before)
            if self._agent_id == before:
                raise
            yield from self._give(make_run)

    def _give(self, make_run: MakeRun) -> Flow[None]:
        pages = self._merged or self._pages[0]
        is_reversed = self._since is not None and self._sort_order != "desc"
        source = Reversed(pages) if is_reversed else pages
        begin, end = self._offset, None if self._limit is None else self._offset + self._limit
        if self._is_cut_by_server:
            begin, end = 0, None
        number = 0
        while (page := (yield from source.next_page())) is not None:
            items = [item for item in page if self._is_wanted(wire.run(item))]
            wanted = items[max(0, begin - number) : None if end is None else max(0, end - number)]
            if wanted:
                self._has_given = True
                yield Give([make_run(_listed(item)) for item in wanted])
            number += len(items)
            if end is not None and number > end:
                self._cut = True
                return
        self._total = number

    def _is_wanted(self, run: dict[str, Any]) -> bool:
        # A server may ignore a word that it does not know.
        wanted = {_named(status) for status in self._statuses}
        return not self._is_merged or "needs_attention" in wanted or run["status"] in wanted


def _statuses(status: Any) -> tuple[str, ...]:
    if status is None:
        return ()
    some = (status,) if isinstance(status, str) else status
    if (
        not hasattr(some, "__iter__")
        or not (statuses := tuple(some))
        or not all(isinstance(word, str) and word for word in statuses)
    ):
        # An empty filter must not turn into all runs, which may then be stopped.
        raise _errors.ConfigError(
            f"status must be a status or a list of them, not {status!r:.80}: "
            "leave it out for all runs"
        )
    return statuses


def _named(status: str) -> str:
    """Return the SDK's name for a status."""
    return "stopped" if status == "interrupted" else status


def filters(
    since: Moment | None, until: Moment | None, **others: str | None
) -> list[tuple[str, str]]:
    """Return the filters that the server applies, as parameters of the request."""
    for name, of in (("user_id", "user"), ("case_queue_id", "case queue")):
        if (value := others[name]) is not None:
            checked_id(value, of)
    times = {"since": since, "until": until}
    given = [(name, api_text(users_time(time))) for name, time in times.items() if time is not None]
    return given + [(name, value) for name, value in others.items() if value is not None]


def _listed(item: dict[str, Any]) -> RunState:
    return RunState(item["id"], item, listed=True)
