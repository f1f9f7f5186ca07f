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
    from datetime import datetime

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._run.state import RunState
    from .run_query import FindAgent, MakeRun, Moment


class InboxQuery(RunQuery):
    """A query for the runs that wait for a human."""

    def __init__(
        self,
        api: Api,
        find_agent: FindAgent | None,
        since: Moment | None,
        until: Moment | None,
    ):
        super().__init__(api, find_agent, [], "waiting", "asc", None, 0, since, until)

    def give(self, make_run: MakeRun) -> Flow[None]:
        """Give the runs that have a pending request, the oldest request first."""
        # Read to the end first: replies sent during the iteration would shift the pages.
        runs = yield from collect(super().give(lambda state: state))
        yield from _give_oldest_request_first(self._api, runs, self._agent_id, make_run)


def _give_oldest_request_first(
    api: Api, runs: list[RunState], agent_id: str | None, make_run: MakeRun
) -> Flow[None]:
    """Read each run, and give those with a pending request, the oldest request first.

    A request is never older than its run. So a run is given, before the rest are
    read, as soon as the next run was created after its request. The runs of other
    agents are skipped, even if they are listed.
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
