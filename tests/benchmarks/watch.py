"""Watching many quiet runs under a rate limit, beside reading each in turn.

Simulated time: `python -m tests.benchmarks.watch`. Each run says something
about every five minutes; the runs end in the second half of half an hour.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from attrs import frozen

import duvo
from tests.servers.fake_api import KEY, TEAM
from tests.servers.simulated_api import Simulated, SimulatedRun, lives
from tests.support.clocks import StoppedClock

LIMIT = 300
MINUTES = 30.0


@frozen
class Figures:
    """What came of watching.

    Attributes:
        message: mean seconds from a message to its event.
        finish: median seconds from the end of a run to its event.
        requests: sent in a minute, on average.
        refused: requests that were too many.
    """

    message: float
    finish: float
    requests: float
    refused: int


def watched(runs: list[SimulatedRun], clock: StoppedClock, server: Simulated) -> Figures:
    """Watch them by the library."""
    with duvo.Client(
        api_key=KEY, base_url=server.base_url, team_id=TEAM, session=server.session
    ) as client:
        client._driver.api.clock = clock
        by_id = {one.id: one for one in runs}
        delays, ends = [], []
        for event in client.runs.watch(list(by_id), messages=True):
            run = by_id[event.run.id]
            if event.message is not None:
                delays.append(clock.now() - run.says[int(event.message.content)])
            elif event.type == "finished":
                ends.append(clock.now() - run.ends)
    return _figures(runs, clock, server, delays, ends)


def read_in_turn(runs: list[SimulatedRun], clock: StoppedClock, server: Simulated) -> Figures:
    """Read the state and the new messages of one after the other, as fast as the limit lets."""
    session = server.session
    given = {one.id: 0 for one in runs}
    delays, ends = [], []

    def get(path: str) -> dict:
        began = clock.now()
        answer = session.get(f"{server.base_url}/v2/runs/{path}", timeout=30)
        answer.raise_for_status()
        clock.sleep(began + 60.0 / LIMIT - clock.now())
        return answer.json()

    left = list(runs)
    while left:
        for run in list(left):
            has_ended = get(run.id)["run"]["status"] == "completed"
            for message in get(f"{run.id}/messages?limit=50&offset={given[run.id]}")["messages"]:
                given[run.id] += 1
                delays.append(clock.now() - run.says[int(message["text_content"])])
            if has_ended:
                left.remove(run)
                ends.append(clock.now() - run.ends)
    return _figures(runs, clock, server, delays, ends)


def _figures(
    runs: list[SimulatedRun],
    clock: StoppedClock,
    server: Simulated,
    delays: list[float],
    ends: list[float],
) -> Figures:
    assert len(delays) == sum(len(one.says) for one in runs)
    assert len(ends) == len(runs)
    minutes = (clock.now() - StoppedClock().now()) / 60.0
    return Figures(
        statistics.mean(delays),
        statistics.median(ends),
        (len(server.paths) + server.refused) / minutes,
        server.refused,
    )


def compare(
    count: int,
    *,
    every: float = 300.0,
    minutes: float = MINUTES,
    tells_messages: bool = True,
    seed: int = 4,
) -> tuple[Figures, Figures]:
    """Ours, and reading in turn.

    Args:
        count: runs.
        every: seconds between two messages of a run, on average.
        minutes: until the last run ends.
        tells_messages: whether a run's `updated_at` moves with its messages.
        seed: of what is random.
    """
    found = []
    ways: list[Callable[..., Figures]] = [watched, read_in_turn]
    for way in ways:
        clock = StoppedClock()
        runs = lives(count, every=every, ends=(minutes * 30.0, minutes * 60.0), seed=seed)
        server = Simulated(runs, clock, limit=LIMIT, tells_messages=tells_messages)
        found.append(way(runs, clock, server))
    return found[0], found[1]


def main() -> None:
    """Print both, and their ratio, for a few numbers of runs."""
    print(f"{'':34}{'message':>10}{'finish':>10}{'requests':>10}{'429':>6}")
    print(f"{'':34}{'mean':>10}{'median':>10}{'a minute':>10}")
    for tells_messages, targets in ((True, (0.3, 0.45)), (False, (None, None))):
        if not tells_messages:
            print("where updated_at does not move with messages:")
        for count, target in zip((100, 1000), targets, strict=True):
            ours, theirs = compare(count, tells_messages=tells_messages)
            for name, one in ((f"{count} runs watched", ours), ("each read in turn", theirs)):
                print(
                    f"{name:34}{one.message:8.1f} s{one.finish:8.1f} s"
                    f"{one.requests:10.0f}{one.refused:6}",
                    flush=True,
                )
            goal = f" (target {target}, no 429)" if target else ""
            print(f"{'ratio of the mean delays':34}{ours.message / theirs.message:8.2f}{goal}")
            if target and count == 1000:
                print(f"{'finish noticed':34}{ours.finish:8.1f} s (target 10)")


if __name__ == "__main__":
    main()
