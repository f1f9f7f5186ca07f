"""The figures of two checkouts, side by side: `python -m tests.benchmarks.compare OLD NEW`.

OLD and NEW are the Pythons of two environments, with one checkout installed in
each. Both run the same commands and the same calls of the library, in turn,
against the same servers. Simulated watching is each checkout's own benchmark.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.completed_runs import LONG, LONG_MESSAGES
from tests.benchmarks.engine_process import EngineProcess
from tests.benchmarks.figures import percentile, show, time_limit
from tests.benchmarks.live_runs import Control
from tests.benchmarks.processes import TYPED
from tests.benchmarks.server import serving
from tests.servers.fake_api import AGENT, KEY, TEAM

CALLS = Path(__file__).with_name("library_calls.py")

WATCH = """
import json
from tests.benchmarks.watch import compare
watched, _ = compare(1000)
print(json.dumps([watched.message, watched.finish, watched.requests, watched.refused]))
"""

TARGET = "1.0"

Measure = Callable[[], dict[str, float]]
"""Measures once, and returns milliseconds by figure."""


class Checkout:
    """One checkout, and how to measure it.

    Args:
        python: of the environment that it is installed in.
        folder: an empty folder: no module is found in it.
        timeout: seconds for each process.
    """

    def __init__(self, python: str, folder: Path, timeout: float):
        self.python = str(Path(python).absolute())
        self.duvo = str(Path(self.python).with_name("duvo"))
        self._folder = folder
        self._timeout = timeout
        program = "import duvo; print(duvo.__file__)"
        self.root = Path(self._run([self.python, "-c", program]).strip()).parents[1]

    def _run(self, command: list[str], cwd: Path | None = None, **settings: str) -> str:
        return subprocess.run(
            command,
            env={**os.environ, "DUVO_CONFIG_DIR": str(self._folder), **settings},
            cwd=cwd or self._folder,
            stdout=subprocess.PIPE,
            timeout=self._timeout,
            text=True,
            check=True,
        ).stdout

    def process(self, *command: str, cwd: Path | None = None, **settings: str) -> dict[str, float]:
        """Return the wall and CPU time of a whole process."""
        before, began = _children_cpu(), time.perf_counter()
        self._run(list(command), cwd, **settings)
        wall = time.perf_counter() - began
        return {"wall": wall * 1000, "cpu": (_children_cpu() - before) * 1000}

    def calls(self, kind: str, count: int, url: str, each: int = 1) -> dict[str, float]:
        """Return the wall and CPU time of calls of the library, for each of them.

        Args:
            kind: of the call.
            count: of calls.
            url: of the server.
            each: parts of a call that the time is divided by.
        """
        command = [self.python, str(CALLS), kind, str(count), url, *_arguments(LONG)]
        seconds = json.loads(self._run(command))
        return {name: value * 1000 / count / each for name, value in seconds.items()}

    def deliver(self, url: str) -> dict[str, float]:
        """Return the time from a message's creation to its delivery while a run is followed."""
        control = Control(url)
        (run_id,) = control.start(1)
        command = [self.python, str(CALLS), "deliver", "1", url, *_arguments(run_id)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=self._folder
        ) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline().strip() == "ready"
                control.wait_until_followed(1, 0)
                control.talk(150, 50.0)
                control.wait_until_followed(1, 150)
                control.complete()
                delays = json.loads(process.stdout.readline())
            finally:
                process.kill()
        return {
            "median": statistics.median(delays) * 1000,
            "p95": percentile(delays, 95) * 1000,
        }

    def watch(self) -> dict[str, float]:
        """Return the CPU time of simulated watching by the checkout's own benchmark."""
        return {"cpu": self.process(self.python, "-c", WATCH, cwd=self.root)["cpu"]}

    def watch_figures(self) -> list[float]:
        """Return what simulated watching comes to: delays in seconds, requests a minute."""
        figures: list[float] = json.loads(self._run([self.python, "-c", WATCH], self.root))
        return figures


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _arguments(run_id: str) -> list[str]:
    return ["--run", run_id, "--agent", AGENT, "--key", KEY, "--team", TEAM]


def engine_runs(engine: EngineProcess, count: int = 20) -> dict[str, float]:
    """Return the time of runs of 5 messages, one after the other, and the engine's CPU time."""
    cpu, began = engine.cpu, time.perf_counter()
    for _ in range(count):
        engine.wait(engine.start("Five"))
    wall = time.perf_counter() - began
    return {"wall": wall * 1000 / count, "cpu": (engine.cpu - cpu) * 1000 / count}


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
        if number % 2 == 0:
            first = old()
            pairs.append((first, new()))
        else:
            first = new()
            pairs.append((old(), first))
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
        live_url = stack.enter_context(serving("live_runs"))
        sides = []
        for number, checkout in enumerate(checkouts):
            engine = EngineProcess(folder, f"{folder}/{number}.sqlite", checkout.duvo)
            stack.callback(engine.kill)
            sides.append(measures(checkout, runs_url, live_url, engine, options.inputs))
        for name in sides[0]:
            if name.startswith(options.only or ""):
                rounds = (
                    options.rounds if name != "map, each input" else max(1, options.rounds // 3)
                )
                compare(name, sides[0][name], sides[1][name], rounds)
        if "watch".startswith(options.only or "") or (options.only or "").startswith("watch"):
            same = checkouts[0].watch_figures() == checkouts[1].watch_figures()
            show("watch, simulated delays and requests", "the same" if same else "not the same")


if __name__ == "__main__":
    main()
