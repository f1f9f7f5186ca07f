"""Rounds of the list: each reads the pages that tell once of every run that is looked for."""

from __future__ import annotations

from .._http import paths
from .._models import wire
from .._models.checks import understanding
from .._run import pace
from .search import PAGE, SearchByPlace, SearchByTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .._client import Client
    from .._run.polling import Reader


class Rounds:
    """Reads the list of runs, round after round.

    Args:
        client: the client.
        reader: what reads, with its patience and deadline.

    Attributes:
        next_at: when the next round is due, on the reader's clock.
    """

    def __init__(self, client: Client, reader: Reader):
        self.next_at = 0.0
        self._client = client
        self._transport = client._transport
        self._reader = reader
        self._search: SearchByTime | SearchByPlace | None = None
        self._filter: list[tuple[str, str]] = []
        self._pause = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a round has begun and not ended."""
        return self._search is not None

    @property
    def is_through(self) -> bool:
        """Whether the round that is open has no more pages to read."""
        return self._search is not None and self._search.query() is None

    def begin(self, created_at: Mapping[str, str | None], agent_id: str | None) -> None:
        """Begin a round.

        Args:
            created_at: when each run was created, by id, where that is known.
            agent_id: the agent of all of them, or None.
        """
        unknown = [run_id for run_id, time in created_at.items() if time is None]
        if unknown or not self._transport.lists_by_time:
            self._search = SearchByPlace(unknown or created_at)
        else:
            self._search = SearchByTime({one: time or "" for one, time in created_at.items()})
        self._filter = [] if agent_id is None else [("agent_id", agent_id)]

    def read(self) -> list[dict[str, Any]]:
        """The runs of the round's next page, as the list has them.

        Raises:
            WaitTimeout: the reader's time is up.
            DuvoError: the list cannot be read.
        """
        search = self._search
        assert search is not None
        query = [*(search.query() or ()), ("limit", str(PAGE)), *self._filter]

        def attempt() -> tuple[list[dict[str, Any]], int | None]:
            # Which team it is may have to be asked for too.
            path = paths.runs(self._client._team_id(self._reader.deadline))
            data = self._reader.send(path, query).data
            with understanding("GET", path):
                items = wire.expect_items(data, "data")
                for number, item in enumerate(items):
                    wire.expect_text(item.get("status"), f"data[{number}].status")
            return items, wire.count(data.get("total"))

        items, total = self._reader.read(attempt)
        search.take([(item["id"].casefold(), item.get("created_at")) for item in items], total)
        return items

    def end(self, *, changed: bool) -> tuple[list[str], bool]:
        """End the round, and make out when the next one is due.

        Args:
            changed: whether anything happened since the last round.

        Returns:
            The ids of the runs that were missed, and whether the list may have
            them all the same.
        """
        search = self._search
        assert search is not None
        self._search = None
        if search.is_misled:
            self._transport.lists_by_time = False
        is_near = self._transport.long_poll > 0 and not self._transport.budget.is_limited
        self._pause = pace.next_wait(self._pause, activity=changed, fast=is_near)
        self.next_at = self._reader.clock.now() + self._pause
        return search.missed, search.is_misled
