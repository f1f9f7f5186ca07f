"""The human requests of many runs, the oldest first."""

from __future__ import annotations

import heapq

from .._errors import NotFound
from .._flow.drivers import collect
from .._flow.steps import Give
from .._run.actions import refresh
from .run_query import RunQuery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._run.state import RunState
    from .run_query import MakeRun


class InboxQuery:
    """A query for the runs that wait for a human.

    Args:
        api: the API.
        find_agent: finds the id of the agent whose runs are wanted, or None for all.
    """

    def __init__(self, api: Api, find_agent: Callable[[], Flow[str]] | None):
        self._api = api
        self._find_agent = find_agent
        self._agent_id: str | None = None
        self._query: RunQuery | None = None

    def prepare(self) -> Flow[None]:
        """Find the team and the agent."""
        if self._find_agent is not None:
            self._agent_id = yield from self._find_agent()
        params = [] if self._agent_id is None else [("agent_id", self._agent_id)]
        self._query = RunQuery(self._api, None, params, "waiting", "asc", None, 0)
        yield from self._query.prepare()

    def give(self, make_run: MakeRun) -> Flow[None]:
        """Give the runs that have a pending request, the oldest request first.

        Args:
            make_run: makes the user's object for a run.
        """
        if self._query is None:
            yield from self.prepare()
        assert self._query is not None
        # Read to the end first: replies sent during the iteration would shift the pages.
        runs = yield from collect(self._query.give(lambda state: state))
        yield from _give_oldest_request_first(self._api, runs, self._agent_id, make_run)


def _give_oldest_request_first(
    api: Api, runs: list[RunState], agent_id: str | None, make_run: MakeRun
) -> Flow[None]:
    """Read each run, and give those with a pending request, the oldest request first.

    A request is never older than its run. So a run is given, before the rest are
    read, as soon as the next run was created after its request.

    Args:
        api: the API.
        runs: the runs of a list of waiting runs.
        agent_id: skip the runs of other agents, even if they are listed; None for all.
        make_run: makes the user's object for a run.
    """
    listed = sorted(runs, key=lambda state: _seconds(state.data.created_at))
    found: list[tuple[float, int, RunState]] = []
    for number, state in enumerate(listed):
        created_at = _seconds(state.data.created_at)
        while found and found[0][0] <= created_at:
            yield Give([make_run(heapq.heappop(found)[-1])])
        try:
            yield from refresh(api, state)
        except NotFound:
            continue
        request = state.pending_request
        if request is not None and _is_of(agent_id, state):
            heapq.heappush(found, (_seconds(request.created_at), number, state))
    while found:
        yield Give([make_run(heapq.heappop(found)[-1])])


def _is_of(agent_id: str | None, state: RunState) -> bool:
    return agent_id is None or agent_id.casefold() == (state.data.agent_id or "").casefold()


def _seconds(moment: datetime | None) -> float:
    # A run without a time comes first, rather than never.
    return moment.timestamp() if moment is not None else float("-inf")
