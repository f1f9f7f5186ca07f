"""One checkout that is measured: its commands, and calls of its library."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import time
from pathlib import Path

from tests.benchmarks.completed_runs import LONG
from tests.benchmarks.figures import percentile
from tests.benchmarks.live_runs import Control
from tests.servers.fake_api import AGENT, KEY, TEAM
from tests.support.pseudo_terminal import PseudoTerminal

CALLS = Path(__file__).with_name("library_calls.py")

WATCH = """
import json
from tests.benchmarks.watch import compare
watched, _ = compare(200)
print(json.dumps([watched.message, watched.finish, watched.requests, watched.refused]))
"""


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

    def in_terminal(self, *command: str, **settings: str) -> dict[str, float]:
        """Return the wall and CPU time of a whole process in a terminal of 100 columns."""
        before, began = _children_cpu(), time.perf_counter()
        environment = {**os.environ, "DUVO_CONFIG_DIR": str(self._folder), **settings}
        with PseudoTerminal(list(command), environment) as terminal:
            code = terminal.end()
        assert code == 0, terminal.seen
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
