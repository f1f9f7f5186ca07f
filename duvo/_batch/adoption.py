"""Finding the runs that starts of unknown outcome may have made.

On a server that honours no idempotency key, a start whose answer never came is
looked for before another is sent. The list of runs does not hold the message
that a run was started with; the run's first messages do.

Only the server's times are compared with each other: its clock may differ from
ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from attrs import frozen

from .. import _errors
from .._http import paths
from .._http.bodies import Closed
from .._models import wire
from .._models.checks import understanding
from .._models.times import timestamp
from .._pages import Pages
from .._resources.run import Run
from .._run.cursor import Page
from .._run.status import is_finished
from .opening import Opening, fit, opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from .._client import Client
    from .._http.clock import Deadline
    from .opening import Fit

_FIRST = 10
"""Messages read of a candidate: more than stand before what the agent says."""

_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between two looks; the last goes on."""

_LATE = timedelta(minutes=1)
"""By how much a run may appear in the list later than it says it was created."""

_INCLUSIVE = timedelta(seconds=1)
"""Asked for beyond a moment, where `since` may leave out the moment itself."""


@frozen
class Found:
    """What was found of one start.

    Attributes:
        run: the run that it made, or None.
        undecided: without a run: ids of runs that may be it, and whose
            conversations do not tell yet. While there are any, the start must
            not be sent again.
    """

    run: Run | None = None
    undecided: tuple[str, ...] = ()


@frozen
class _Candidate:
    raw: dict[str, Any]
    created: datetime
    begins: Opening


def newest_mark(client: Client, agent_id: str) -> dict[str, Any]:
    """What tells older runs of the agent from those of a batch that begins now; JSON.

    Sends `GET /v2/teams/{team}/runs`.

    Returns:
        `created_at` of the newest run, None where there is none, and `ids` of
        the runs that were created at that very moment.

    Raises:
        DuvoError: the list cannot be read.
    """
    newest: datetime | None = None
    mark: dict[str, Any] = {"created_at": None, "ids": []}
    for raw in _listed(client, agent_id, "desc", None, size=10):
        created = _created(client, raw)
        if newest is None:
            newest, mark["created_at"] = created, raw["created_at"]
        if created != newest:
            break
        mark["ids"].append(raw["id"])
    return mark


def find_runs(
    client: Client,
    agent_id: str,
    messages: Sequence[str | None],
    mark: dict[str, Any],
    *,
    has_run: Callable[[str], bool],
    deadline: Deadline | None = None,
    closed: threading.Event | None = None,
) -> list[Found]:
    """The runs that starts of unknown outcome made, each at most once; none is adopted in doubt.

    Sends `GET /v2/teams/{team}/runs`, and `GET /v2/runs/{id}/messages` for each
    run of the agent that is newer than the mark and not known yet. A run that
    only possibly fits is adopted when there are no more such runs than starts
    that look for one.

    Args:
        client: what sends.
        agent_id: the agent.
        messages: of the starts, as they were sent; None for a start without.
        mark: what `newest_mark` told before the first start was sent.
        has_run: whether a run is known to be another start's.
        deadline: until when to look again for what was not found: a run may
            appear late, and its first messages later still. Without one, it is
            looked once. No request is cut by it.
        closed: when set, it is looked no more.

    Returns:
        For each message what was found, in order.

    Raises:
        Closed: it was closed.
        DuvoError: something cannot be read.
    """
    look = _Look(client, agent_id, mark, has_run)
    found: list[Found] = [Found()] * len(messages)
    pauses = iter(_PAUSES)
    pause = 0.0
    while True:
        look.again()
        for place, message in enumerate(messages):
            if found[place].run is None and (run := look.take(message, "yes")):
                found[place] = Found(run)
        missing = [place for place, one in enumerate(found) if one.run is None]
        if not missing or deadline is None or deadline.passed:
            break
        pause = next(pauses, pause)
        client._transport.clock.sleep(deadline.left(pause), closed)
        if closed is not None and closed.is_set():
            raise Closed
    for place in missing:
        seekers = [messages[one] for one in missing if found[one].run is None]
        if look.is_without_doubt(messages[place], seekers):
            found[place] = Found(look.take(messages[place], "maybe"))
        else:
            found[place] = Found(None, look.ids(messages[place], "not yet"))
    return found


class _Look:
    """The runs that may be what is looked for, kept up to date."""

    def __init__(
        self,
        client: Client,
        agent_id: str,
        mark: dict[str, Any],
        has_run: Callable[[str], bool],
    ):
        self._client = client
        self._agent_id = agent_id
        self._older = frozenset(mark["ids"])
        self._begin = timestamp(mark["created_at"])
        self._since = self._begin
        self._has_run = has_run
        self._candidates: dict[str, _Candidate] = {}
        self._taken: set[str] = set()

    def again(self) -> None:
        """Read what is new in the list, and the beginnings that were not whole."""
        newest = self._since
        for raw in _listed(self._client, self._agent_id, "asc", self._since):
            created = _created(self._client, raw)
            newest = created if newest is None else max(newest, created)
            if self._may_be(raw, created):
                self._candidates[raw["id"]] = _Candidate(raw, created, Opening())
        if newest is not None:
            back = newest - _LATE
            self._since = back if self._begin is None else max(back, self._begin)
        for run_id, one in list(self._candidates.items()):
            if not one.begins.is_whole:
                self._read(run_id, one)

    def take(self, message: str | None, fits: Fit) -> Run | None:
        """The oldest run that fits the message so; it is nobody else's from now on."""
        for one in sorted(self._candidates.values(), key=lambda one: one.created):
            if fit(message, one.begins) == fits:
                del self._candidates[one.raw["id"]]
                self._taken.add(one.raw["id"])
                return Run(self._client, one.raw["id"], one.raw, listed=True)
        return None

    def ids(self, message: str | None, fits: Fit) -> tuple[str, ...]:
        """The runs that fit the message so."""
        return tuple(
            run_id for run_id, one in self._candidates.items() if fit(message, one.begins) == fits
        )

    def is_without_doubt(self, message: str | None, seekers: Sequence[str | None]) -> bool:
        """Whether all runs that possibly fit the message are those of such starts.

        Args:
            message: of one of the starts.
            seekers: the messages of all starts that no run was found for.
        """
        possible = set(self.ids(message, "maybe"))
        if not possible or self.ids(message, "not yet"):
            return False
        rivals = {other for other in seekers if other != message}
        return len(possible) <= seekers.count(message) and not any(
            possible.intersection(self.ids(rival, "maybe")) for rival in rivals
        )

    def _may_be(self, raw: dict[str, Any], created: datetime) -> bool:
        run_id = raw["id"]
        if run_id in self._candidates or run_id in self._taken or run_id in self._older:
            return False
        if raw.get("agent_id") != self._agent_id:
            return False
        return (self._begin is None or created >= self._begin) and not self._has_run(run_id)

    def _read(self, run_id: str, one: _Candidate) -> None:
        path = paths.messages(run_id)
        params = [("limit", str(_FIRST)), ("offset", "0")]
        try:
            answer = self._client._transport.send("GET", path, params=params)
        except _errors.NotFound:
            del self._candidates[run_id]
            return
        with understanding("GET", path):
            page = Page(answer.data, 0, _FIRST)
        begins = opening(
            page.messages,
            is_cut=len(page.messages) >= _FIRST,
            has_ended=is_finished(wire.run(one.raw)["status"]),
        )
        self._candidates[run_id] = _Candidate(one.raw, one.created, begins)


def _listed(
    client: Client, agent_id: str, order: str, since: datetime | None, size: int = 100
) -> Iterator[dict[str, Any]]:
    params = [("agent_id", agent_id), ("sort_order", order)]
    if since is not None:
        begin = (since - _INCLUSIVE).astimezone(timezone.utc)
        params.append(("since", begin.isoformat().replace("+00:00", "Z")))
    return iter(
        Pages(client._transport, paths.runs(client.team_id), "data", params=params, size=size)
    )


def _created(client: Client, raw: dict[str, Any]) -> datetime:
    with understanding("GET", paths.runs(client.team_id)):
        created = timestamp(raw.get("created_at"))
        if created is None:
            raise _errors.UnexpectedAnswer(f"run {raw['id']} tells no time of creation")
        return created
