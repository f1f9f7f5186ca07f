"""The figures of two checkouts, side by side: `python -m tests.benchmarks.compare OLD NEW`.

OLD and NEW are the Pythons of two environments, with one checkout installed in
each. Both run the same commands and the same calls of the library, in turn,
against the same servers. Simulated watching is each checkout's own benchmark.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.benchmarks.checkout import Checkout
from tests.benchmarks.completed_runs import LONG, LONG_MESSAGES
from tests.benchmarks.engine_process import EngineProcess
from tests.benchmarks.figures import show, time_limit
from tests.benchmarks.processes import TYPED
from tests.benchmarks.server import serving
from tests.servers.fake_api import AGENT, KEY, TEAM

TARGET = "1.0"

Measure = Callable[[], dict[str, float]]
"""Measures once, and returns milliseconds by figure."""


def engine_runs(engine: EngineProcess, count: int = 50) -> dict[str, float]:
    """Return the time of runs of 5 messages, one after the other, and the engine's CPU time."""
    cpu, began = engine.cpu, time.perf_counter()
    for _ in range(count):
        engine.wait(engine.start("Five"))
    wall = time.perf_counter() - began
    return {"wall": wall * 1000 / count, "cpu": (engine.cpu - cpu) * 1000 / count}


def start_runs(url: str, count: int) -> None:
    """Start runs that lists of the server have."""
    with requests.Session() as session:
        for number in range(count):
            run = {"agent_id": AGENT, "message": f"Process INV-{number}"}
            session.post(f"{url}/v2/teams/{TEAM}/runs", json=run).raise_for_status()


def measures(
    checkout: Checkout, runs_url: str, live_url: str, engine: EngineProcess, inputs: int
) -> dict[str, Measure]:
    """Return how each figure of a checkout is measured, by its name."""
    settings = {
        "DUVO_API_KEY": KEY,
        "DUVO_API_BASE_URL": runs_url,
        "DUVO_TEAM_ID": TEAM,
    }
    python, duvo = checkout.python, checkout.duvo
    return {
        "duvo --version": lambda: checkout.process(duvo, "--version"),
        "duvo --help": lambda: checkout.process(duvo, "--help"),
        "import duvo": lambda: checkout.process(python, "-c", "import duvo"),
        "duvo runs get --json": lambda: checkout.process(
            duvo, "runs", "get", LONG, "--json", **settings
        ),
        "duvo runs list, 100 in a terminal": lambda: checkout.in_terminal(
            duvo, "runs", "list", "--limit", "100", **settings
        ),
        "typed get, process": lambda: checkout.process(python, "-c", TYPED, LONG, **settings),
        "typed get": lambda: checkout.calls("get", 300, runs_url),
        "page of 50 messages": lambda: checkout.calls("page", 100, runs_url),
        "follow, 50 messages": lambda: checkout.calls("follow", 1, runs_url, LONG_MESSAGES // 50),
        "follow, delivery": lambda: checkout.deliver(live_url),
        "map, each input": lambda: checkout.calls("map_inputs", inputs, runs_url),
        "watch, simulated": checkout.watch,
        "engine, run of 5 messages": lambda: engine_runs(engine),
    }


def compare(name: str, old: Measure, new: Measure, rounds: int) -> None:
    """Measure in turn, and print the medians and the median of each round's ratio."""
    old(), new()
    pairs = []
    for number in range(rounds):
        order = (old, new) if number % 2 == 0 else (new, old)
        measured = {measure: measure() for measure in order}
        pairs.append((measured[old], measured[new]))
    for figure in pairs[0][0]:
        before = statistics.median(pair[0][figure] for pair in pairs)
        after = statistics.median(pair[1][figure] for pair in pairs)
        ratio = statistics.median(
            pair[1][figure] / pair[0][figure] if pair[0][figure] else 1.0 for pair in pairs
        )
        show(
            f"{name}, {figure}",
            f"{before:9.2f} ms, then {after:9.2f} ms: ratio {ratio:.3f}",
            TARGET,
        )


def main() -> None:
    """Print each figure of the old and the new checkout, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="the Python of the old checkout's environment")
    parser.add_argument("new", help="the Python of the new checkout's environment")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--inputs", type=int, default=10_000, help="inputs of a map")
    parser.add_argument("--only", help="measure the figures whose name begins with this")
    parser.add_argument("--limit", type=int, default=1800, help="seconds in all")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        stack.enter_context(time_limit(options.limit))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        checkouts = [Checkout(python, folder, 120.0) for python in (options.old, options.new)]
        if checkouts[0].root == checkouts[1].root:
            sys.exit(f"both Pythons have the checkout {checkouts[0].root} installed")
        runs_url = stack.enter_context(serving("completed_runs"))
        start_runs(runs_url, 100)
        live_url = stack.enter_context(serving("live_runs"))
        sides = []
        for number, checkout in enumerate(checkouts):
            engine = EngineProcess(folder, f"{folder}/{number}.sqlite", checkout.duvo)
            stack.callback(engine.kill)
            sides.append(measures(checkout, runs_url, live_url, engine, options.inputs))
        for name in [name for name in sides[0] if name.startswith(options.only or "")]:
            # A map takes long, and varies little.
            rounds = options.rounds // 3 if name.startswith("map") else options.rounds
            compare(name, sides[0][name], sides[1][name], max(1, rounds))
        if "watch, simulated".startswith(options.only or ""):
            same = checkouts[0].watch_figures() == checkouts[1].watch_figures()
            show("watch, simulated delays and requests", "the same" if same else "not the same")


if __name__ == "__main__":
    main()
