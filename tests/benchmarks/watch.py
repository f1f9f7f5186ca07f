"""Watching many quiet runs under a rate limit, beside reading each in turn.

`python -m tests.benchmarks.watch`, in simulated time. Each run says something
about every five minutes, and ends in the second half of half an hour.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

from attrs import frozen

import duvo
from tests.benchmarks.figures import show, time_limit
from tests.servers.fake_api import KEY, TEAM
from tests.servers.simulated_api import Simulated, SimulatedRun, lives
from tests.support.clocks import StoppedClock

LIMIT = 300
MINUTES = 30.0


@frozen
class Figures:
    """Delays and requests of one way of watching.

    Attributes:
        message: mean seconds from a message to its event.
        finish: median seconds from the end of a run to its event.
        requests: requests a minute, on average.
        refused: requests that were answered 429.
    """

    message: float
    finish: float
    requests: float
    refused: int


def watched(runs: list[SimulatedRun], clock: StoppedClock, server: Simulated) -> Figures:
    """Watch runs with the library."""
    with duvo.Client(
        api_key=KEY, base_url=server.base_url, team_id=TEAM, session=server.session
    ) as client:
        client._driver.api.clock = clock
        by_id = {run.id: run for run in runs}
        delays, ends = [], []
        for event in client.runs.watch(list(by_id), messages=True):
            run = by_id[event.run.id]
            if event.message is not None:
                delays.append(clock.now() - run.says[int(event.message.content)])
            elif event.type == "finished":
                ends.append(clock.now() - run.ends)
    return _figures(runs, clock, server, delays, ends)


def read_in_turn(runs: list[SimulatedRun], clock: StoppedClock, server: Simulated) -> Figures:
    """Read the state and the new messages of each run in turn, as fast as the limit allows."""
    session = server.session
    seen = {run.id: 0 for run in runs}
    delays, ends = [], []

    def get(path: str) -> dict:
        began = clock.now()
        response = session.get(f"{server.base_url}/v2/runs/{path}", timeout=30)
        response.raise_for_status()
        clock.sleep(began + 60.0 / LIMIT - clock.now())
        return response.json()

    left = list(runs)
    while left:
        for run in list(left):
            has_ended = get(run.id)["run"]["status"] == "completed"
            for message in get(f"{run.id}/messages?limit=50&offset={seen[run.id]}")["messages"]:
                seen[run.id] += 1
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
    assert len(delays) == sum(len(run.says) for run in runs)
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
    """Return the figures of watching with the library, and of reading in turn.

    Args:
        count: number of runs.
        every: mean seconds between two messages of a run.
        minutes: minutes until the last run ends.
        tells_messages: whether a run's `updated_at` changes with its messages.
        seed: for the random times.
    """
    figures = []
    ways: list[Callable[..., Figures]] = [watched, read_in_turn]
    for way in ways:
        clock = StoppedClock()
        runs = lives(count, every=every, ends=(minutes * 30.0, minutes * 60.0), seed=seed)
        server = Simulated(runs, clock, limit=LIMIT, tells_messages=tells_messages)
        figures.append(way(runs, clock, server))
    return figures[0], figures[1]


def main() -> None:
    """Print the figures of both ways, and their ratio, for a few numbers of runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    with time_limit(900):
        for tells_messages in (True, False):
            if not tells_messages:
                print("where updated_at does not change with messages:")
            for count in options.runs:
                report(count, tells_messages)


def report(count: int, tells_messages: bool) -> None:
    """Print the figures for one number of runs."""
    ours, theirs = compare(count, tells_messages=tells_messages)
    for name, figures in (("watched", ours), ("read in turn", theirs)):
        show(
            f"{count} runs {name}",
            f"message {figures.message:.1f} s, finish {figures.finish:.1f} s, "
            f"{figures.requests:.0f} requests a minute",
        )
    ratio = f"{ours.message / theirs.message:.2f}"
    if not tells_messages:
        show(f"delay of messages, {count} runs watched beside read in turn", ratio)
        return
    target = "0.3" if count <= 100 else "0.45"
    show(f"delay of messages, {count} runs watched beside read in turn", ratio, target)
    show(f"delay of the end, {count} runs watched", f"{ours.finish:.1f} s", "10 s")
    show(f"responses 429, {count} runs watched", str(ours.refused), "0")


if __name__ == "__main__":
    main()
