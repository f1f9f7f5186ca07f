"""Rounds over the list of runs: each reads the pages that have the watched runs, once."""

from __future__ import annotations

from .._http import paths
from .._models import checks
from .._models.checks import expect_items, expect_text, request_context
from .._run import polling
from .search import PAGE, SearchByPlace, SearchByTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .._flow.steps import Flow
    from .._run.polling import Poller


class Rounds:
    """Reads the list of runs, round after round.

    Attributes:
        next_at: when the next round is due, on the client's clock.
    """

    def __init__(self, poller: Poller):
        self.next_at = 0.0
        self._api = poller.api
        self._poller = poller
        self._search: SearchByTime | SearchByPlace | None = None
        self._filter: list[tuple[str, str]] = []
        self._pause = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a round has begun and not ended."""
        return self._search is not None

    @property
    def is_read(self) -> bool:
        """Whether the open round has no more pages to read."""
        return self._search is not None and self._search.query() is None

    def begin(self, created_at: Mapping[str, str | None], agent_id: str | None) -> None:
        """Begin a round.

        Args:
            created_at: when each run was created, by id, or None if that is unknown.
            agent_id: the agent of all runs, or None if there are several.
        """
        known = {run_id: time for run_id, time in created_at.items() if time is not None}
        if self._api.server.lists_created_since and len(known) == len(created_at):
            self._search = SearchByTime(known)
        else:
            self._search = SearchByPlace(created_at)
        self._filter = [] if agent_id is None else [("agent_id", agent_id)]

    def read_page(self) -> Flow[list[dict[str, Any]]]:
        """Read the round's next page; return its runs, as the API sent them."""
        search = self._search
        assert search is not None
        query = [*(search.query() or ()), ("limit", str(PAGE)), *self._filter]

        def attempt() -> Flow[tuple[list[dict[str, Any]], int | None]]:
            # Finding the team may take a request too.
            path = paths.runs((yield from self._api.team_id(self._poller.deadline)))
            response = yield from self._poller.get_once(path, query)
            with request_context("GET", path):
                items = expect_items(response.data, "data")
                for number, item in enumerate(items):
                    expect_text(item.get("status"), f"data[{number}].status")
            return items, checks.count(response.data.get("total"))

        items, total = yield from self._poller.repeat(attempt)
        search.record([(item["id"].casefold(), item.get("created_at")) for item in items], total)
        return items

    def end(self, *, changed: bool) -> list[str]:
        """End the round, and schedule the next one.

        Args:
            changed: whether anything happened since the last round.

        Returns:
            The ids of the runs that were missed.
        """
        search = self._search
        assert search is not None
        self._search = None
        is_near = self._api.server.long_poll > 0 and not self._api.rate_limit.is_known
        self._pause = polling.next_pause(self._pause, activity=changed, fast=is_near)
        self.next_at = self._api.clock.now() + self._pause
        return search.missed
