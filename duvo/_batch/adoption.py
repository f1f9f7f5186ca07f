"""Adopting the runs of starts whose outcome is not known.

On a server that does not honour idempotency keys, the run of such a start is
searched for before the start is sent again. The list of runs does not have start
messages: a run's conversation does.

Times of the server are only compared with each other: its clock may differ from
ours.
"""

from __future__ import annotations

from attrs import define, frozen

from .. import _errors
from .._flow.steps import Sleep, block
from .._http import paths
from .._http.sender import get
from .._lists.cursor import LATE
from .._lists.pages import Pages
from .._models import wire
from .._models.checks import request_context
from .._models.times import timestamp
from .._run.cursor import Page
from .._run.state import RunState
from .opening import Opening, fit, opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._time.clock import Deadline
    from .opening import Fit

_FIRST = 10
"""Messages read of a candidate: enough to reach the agent's first message."""

_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between two searches; the last repeats."""


@frozen
class Found:
    """The result of a search for the run of one start.

    Attributes:
        undecided: ids of runs that may be the run, if it was not found. The start
            must not be sent again while there are any.
    """

    state: RunState | None = None
    undecided: tuple[str, ...] = ()


@define
class _Candidate:
    raw: dict[str, Any]
    created: datetime
    opening: Opening


def newest_mark(api: Api, agent_id: str) -> Flow[dict[str, Any]]:
    """Return a mark, as JSON, that separates older runs from the runs of a new batch.

    It has `created_at` of the agent's newest run, or None, and `ids` of the runs
    created at that moment. Sends `GET /v2/teams/{team}/runs`.
    """
    path = paths.runs((yield from api.team_id()))
    newest: datetime | None = None
    mark: dict[str, Any] = {"created_at": None, "ids": []}
    pages = _newest_first(api, path, agent_id, None, size=10)
    while (page := (yield from pages.next_page())) is not None:
        for raw in page:
            created = _created(path, raw)
            if newest is None:
                newest, mark["created_at"] = created, raw["created_at"]
            if created != newest:
                return mark
            mark["ids"].append(raw["id"])
    return mark


def find_runs(
    api: Api,
    agent_id: str,
    messages: Sequence[str | None],
    mark: dict[str, Any],
    *,
    has_run: Callable[[str], bool],
    deadline: Deadline | None = None,
) -> Flow[list[Found]]:
    """Find the runs of starts of unknown outcome; adopt each at most once, and none in doubt.

    Sends `GET /v2/teams/{team}/runs`, and `GET /v2/runs/{id}/messages` for each
    unknown run of the agent that is newer than the mark. A run that possibly
    fits is adopted only if there are at most as many such runs as starts without
    a run. The results are in the order of the messages.

    Args:
        messages: the starts' messages, as they were sent; None for no message.
        mark: what `newest_mark` returned before the first start was sent.
        has_run: returns whether a run belongs to another start. It may block.
        deadline: until when to repeat the search: a run may appear late, and its
            first messages later still. None searches once.
    """
    path = paths.runs((yield from api.team_id()))
    search = _Search(api, path, agent_id, mark, has_run)
    found: list[Found] = [Found()] * len(messages)
    pauses = iter(_PAUSES)
    pause = 0.0
    while True:
        yield from search.read()
        for place, message in enumerate(messages):
            if found[place].state is None and (state := search.take(message, "yes")):
                found[place] = Found(state)
        missing = [place for place, result in enumerate(found) if result.state is None]
        if not missing or deadline is None or deadline.passed:
            break
        pause = next(pauses, pause)
        yield Sleep(deadline.left(pause), "searching for runs that were started", polling=True)
    for place in missing:
        seekers = [messages[other] for other in missing if found[other].state is None]
        if search.is_without_doubt(messages[place], seekers):
            found[place] = Found(search.take(messages[place], "maybe"))
        else:
            found[place] = Found(None, search.ids(messages[place], "not yet"))
    return found


class _Search:
    """The candidates: runs that may belong to one of the starts."""

    def __init__(
        self,
        api: Api,
        path: str,
        agent_id: str,
        mark: dict[str, Any],
        has_run: Callable[[str], bool],
    ):
        self._api = api
        self._path = path
        self._agent_id = agent_id
        self._older = frozenset(mark["ids"])
        self._begin = timestamp(mark["created_at"])
        self._since = self._begin
        self._has_run = has_run
        self._candidates: dict[str, _Candidate] = {}
        self._taken: set[str] = set()

    def read(self) -> Flow[None]:
        """Read new runs in the list, and the openings that were not complete."""
        newest = self._since
        pages = _newest_first(self._api, self._path, self._agent_id, self._since)
        while (page := (yield from pages.next_page())) is not None:
            for raw in page:
                created = _created(self._path, raw)
                newest = created if newest is None else max(newest, created)
                if (yield from self._may_be(raw, created)):
                    self._candidates[raw["id"]] = _Candidate(raw, created, Opening())
        if newest is not None:
            back = newest - LATE
            self._since = back if self._begin is None else max(back, self._begin)
        for run_id, candidate in list(self._candidates.items()):
            if not candidate.opening.is_whole:
                yield from self._read_opening(run_id, candidate)

    def take(self, message: str | None, fits: Fit) -> RunState | None:
        """Take the oldest candidate with this fit; return its run, or None."""
        for candidate in sorted(self._candidates.values(), key=lambda item: item.created):
            if fit(message, candidate.opening) == fits:
                run_id = candidate.raw["id"]
                del self._candidates[run_id]
                self._taken.add(run_id)
                return RunState(run_id, candidate.raw, listed=True)
        return None

    def ids(self, message: str | None, fits: Fit) -> tuple[str, ...]:
        """Return the ids of the candidates with this fit."""
        return tuple(
            run_id
            for run_id, candidate in self._candidates.items()
            if fit(message, candidate.opening) == fits
        )

    def is_without_doubt(self, message: str | None, seekers: Sequence[str | None]) -> bool:
        """Whether all candidates that possibly fit belong to starts with this message.

        `seekers` are the messages of all starts without a run.
        """
        possible = set(self.ids(message, "maybe"))
        if not possible or self.ids(message, "not yet"):
            return False
        rivals = {other for other in seekers if other != message}
        return len(possible) <= seekers.count(message) and not any(
            possible.intersection(self.ids(rival, "maybe")) for rival in rivals
        )

    def _may_be(self, raw: dict[str, Any], created: datetime) -> Flow[bool]:
        run_id = raw["id"]
        if run_id in self._candidates or run_id in self._taken or run_id in self._older:
            return False
        if raw.get("agent_id") != self._agent_id:
            return False
        if self._begin is not None and created < self._begin:
            return False
        return not (yield from block(self._has_run, run_id))

    def _read_opening(self, run_id: str, candidate: _Candidate) -> Flow[None]:
        path = paths.messages(run_id)
        params = [("limit", str(_FIRST)), ("offset", "0")]
        try:
            response = yield from get(self._api, path, params=params)
        except _errors.NotFound:
            del self._candidates[run_id]
            return
        with request_context("GET", path):
            page = Page(response.data, 0, _FIRST)
        candidate.opening = opening(
            page.messages,
            is_cut=len(page.messages) >= _FIRST,
            has_ended=wire.run(candidate.raw)["status"] in wire.FINISHED,
        )


def _newest_first(
    api: Api, path: str, agent_id: str, since: datetime | None, size: int = 100
) -> Pages:
    params = [("agent_id", agent_id), ("sort_order", "desc")]
    return Pages(api, path, "data", params=params, newest_first=True, since=since, size=size)


def _created(path: str, raw: dict[str, Any]) -> datetime:
    with request_context("GET", path):
        created = timestamp(raw.get("created_at"))
        if created is None:
            raise _errors.UnexpectedAnswer(f"run {raw['id']} has no time of creation")
        return created
