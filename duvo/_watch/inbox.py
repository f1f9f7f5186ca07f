"""What waits for a human, across runs."""

from __future__ import annotations

import heapq

from .._errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from .._resources.run import Run


def oldest_request_first(runs: Iterable[Run], agent_id: str | None) -> Iterator[Run]:
    """Read each run, and give those that have a pending request, the oldest request first.

    A request is never older than its run. So one is given as soon as the next
    run was created after it, and the first ones need not wait for the rest.

    Args:
        runs: those of a list of waiting ones.
        agent_id: leave out the runs of other agents, whatever the list holds.
    """
    # Whoever answers while a list is read would shift its next page.
    listed = sorted(runs, key=lambda run: _seconds(run.created_at))
    found: list[tuple[float, int, Run]] = []
    for number, run in enumerate(listed):
        created_at = _seconds(run.created_at)
        while found and found[0][0] <= created_at:
            yield heapq.heappop(found)[-1]
        try:
            request = run.refresh().pending_request
        except NotFound:
            continue
        if request is not None and _is_of(agent_id, run):
            heapq.heappush(found, (_seconds(request.created_at), number, run))
    while found:
        yield heapq.heappop(found)[-1]


def _is_of(agent_id: str | None, run: Run) -> bool:
    return agent_id is None or agent_id.casefold() == (run.agent_id or "").casefold()


def _seconds(moment: datetime | None) -> float:
    # One without a time cannot be placed: it comes first rather than never.
    return moment.timestamp() if moment is not None else float("-inf")
