"""What watching and mapping many runs costs: requests, modules, memory."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import duvo
from duvo import AsyncRun, Message, Run
from tests.benchmarks.watch import compare
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest
from tests.servers.simulated_api import SimulatedAPI, SimulatedRun, lives
from tests.support.clocks import StoppedClock

ROOT = Path(__file__).parents[3]
LIST = f"/v2/teams/{TEAM}/runs"


def kinds(paths: list[str]) -> Counter[str]:
    return Counter(
        "list" if one == LIST else "messages" if one.endswith("/messages") else "run"
        for one in paths
    )


def simulated(runs: list[SimulatedRun]) -> tuple[duvo.Client, SimulatedAPI]:
    clock = StoppedClock()
    server = SimulatedAPI(runs, clock, limit=10_000)
    client = duvo.Client(
        api_key=KEY, base_url=server.base_url, team_id=TEAM, session=server.session
    )
    client._driver.api.clock = clock
    return client, server


@pytest.mark.long
def test_watching_a_run_costs_a_request_for_each_message_and_none_while_it_is_quiet() -> None:
    runs = lives(150, every=300.0, ends=(300.0, 600.0), seed=1)
    client, server = simulated(runs)
    with client:
        events = list(client.runs.watch([one.id for one in runs], messages=True))
    said = sum(len(one.says) for one in runs)
    assert sum(one.type == "message" for one in events) == said
    sent = kinds(server.paths)
    # Each run is read once at the beginning, and may speak between the list and the read.
    assert sent["messages"] <= 150 + said + sent["run"]
    # Changes that the list may not show are looked for every two seconds at most.
    assert sent["run"] <= 300
    # A round reads two pages, and there is at most one round a second.
    assert sent["list"] <= 2 * 600


@pytest.mark.long
def test_watching_for_ends_alone_reads_only_the_list() -> None:
    runs = lives(250, every=30.0, ends=(100.0, 200.0), seed=2)
    client, server = simulated(runs)
    with client:
        events = list(client.runs.watch([one.id for one in runs]))
    assert sum(one.type == "finished" for one in events) == 250
    # The first round knows only ids; later rounds also know creation times.
    assert set(kinds(server.paths)) == {"list"}
    assert len(server.paths) <= 3 * 200


@pytest.mark.parametrize("reports_messages", [True, False])
@pytest.mark.long
def test_watching_under_a_rate_limit_is_faster_than_reading_in_turn(reports_messages: bool) -> None:
    # As dense as 1,000 runs that say something every five minutes.
    ours, theirs = compare(400, every=120.0, minutes=10.0, reports_messages=reports_messages)
    assert ours.refused == 0
    assert ours.finish < 10.0
    assert ours.message < theirs.message * (0.3 if reports_messages else 0.9)


@pytest.mark.long
def test_ends_are_prompt_when_there_are_more_messages_than_can_be_read() -> None:
    ours, theirs = compare(400, every=20.0, minutes=10.0)
    assert ours.message < theirs.message
    assert ours.finish < 10.0
    assert ours.refused == 0


def test_an_input_costs_two_requests_and_a_share_of_the_list(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    count = 60
    client.runs.start(AGENT)
    fake_api.requests.clear()

    def end_all(seen: ReceivedRequest) -> None:
        # Only once all have started, so that one round reports all of them.
        if seen.method == "GET" and fake_api.count("POST", "/runs") == count:
            for run_id in list(fake_api.runs):
                fake_api.end(run_id)

    fake_api.before = end_all
    done = list(client.runs.map(AGENT, map(str, range(count)), concurrency=count))
    assert len(done) == count
    sent = Counter((one.method, *kinds([one.path])) for one in fake_api.requests)
    assert sent["POST", "list"] == sent["GET", "messages"] == count
    assert sent["GET", "run"] == 0
    assert sent["GET", "list"] < count / 2


def messages_alive() -> int:
    return sum(isinstance(one, Message) for one in gc.get_objects())


@pytest.mark.long
def test_watched_messages_are_freed() -> None:
    now = StoppedClock().now()
    says = [[now + 0.01 * number for number in range(4000)] for _ in range(3)]
    runs = [
        SimulatedRun(f"00000000-0000-4000-8000-00000000000{number}", now - 1, one, one[-1])
        for number, one in enumerate(says)
    ]
    client, _ = simulated(runs)
    others = messages_alive()
    alive = []
    with client:
        for number, _ in enumerate(client.runs.watch([one.id for one in runs], messages=True)):
            if number % 1000 == 999:
                alive.append(messages_alive() - others)
    assert len(alive) == 12
    assert max(alive) < 200


@pytest.mark.long
def test_yielded_runs_are_freed(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.headers["duvo-long-poll"] = "30"

    def end(seen: ReceivedRequest) -> None:
        if seen.method == "GET":
            for run_id, run in list(fake_api.runs.items()):
                if run["status"] == "pending":
                    fake_api.end(run_id)

    fake_api.before = end
    runs = (Run, AsyncRun)
    before = sum(isinstance(one, runs) for one in gc.get_objects())
    alive = []
    results = client.runs.map(AGENT, map(str, range(300)), concurrency=20)
    for number, _ in enumerate(results):
        if number % 50 == 49:
            gc.collect()
            alive.append(sum(isinstance(one, runs) for one in gc.get_objects()) - before)
    assert len(alive) == 6
    # Running ones, ended ones that are not yet yielded, and the current one.
    assert max(alive) <= 20 + 20 + 1


PROGRAMS = {
    "watch": "assert [one.type for one in client.runs.watch([sys.argv[1]], messages=True)]",
    "as_completed": "assert [run.answer for run in client.runs.as_completed([sys.argv[1]])]",
    "map": "assert [run.answer for _, run in client.runs.map(sys.argv[2], ['hello'])]",
}

NEVER = {"asyncio", "tenacity", "dbos", "starlette", "distributed", "multiprocessing", "hypothesis"}


@pytest.fixture
def ending(fake_api: FakeAPI) -> Iterator[FakeAPI]:
    """A server whose runs end when they are read."""

    def end(seen: ReceivedRequest) -> None:
        if seen.method == "GET":
            for run_id in list(fake_api.runs):
                if fake_api.runs[run_id]["completed_at"] is None:
                    fake_api.say(run_id, "done")
                    fake_api.end(run_id)

    fake_api.before = end
    yield fake_api


@pytest.mark.parametrize("name", PROGRAMS)
def test_waiting_for_many_runs_loads_only_the_modules_it_needs(ending: FakeAPI, name: str) -> None:
    program = (
        "import json, sys, duvo\n"
        "client = duvo.Client()\n"
        f"{PROGRAMS[name]}\n"
        "print(json.dumps(list(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, ending.start(), AGENT],
        env={"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": ending.base_url, "DUVO_TEAM_ID": TEAM},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    loaded = set(json.loads(answer.stdout))
    assert not loaded & NEVER
    if name != "map":
        assert not loaded & {"sqlite3", "concurrent.futures.thread", "duvo._batch.journal"}
