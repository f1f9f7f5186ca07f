"""Batches whose process is killed at any moment: each input still has exactly one run."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

import duvo
from duvo.local import RunContext, Server, agent
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest

INPUTS = 40

BATCH = """
import json, sys
import duvo
from duvo._run import polling
from duvo._batch import starts, workers
from duvo._watch import watcher

# Shorter pauses: the server is on this machine, and lists a run at once.
starts.APPEARS_WITHIN = 0.6
polling.SHORTEST_PAUSE, polling.LONGEST_PAUSE, watcher._SWEEP_EVERY = 0.02, 0.05, 0.1
# After Ctrl-C, even a busy machine answers the starts in progress in this time.
workers.LONGEST_END = 30.0

agent, file, most = sys.argv[1:]
inputs = [{"number": number // 2} for number in range(int(most))]
with duvo.Client() as client:
    results = client.runs.map(
        agent, inputs, journal=file, concurrency=8, on_request="approve",
        message=lambda one: f"Process {one['number']}",
    )
    print("begin", file=sys.stderr, flush=True)
    for one in results:
        print(json.dumps([one.index, one.run.id, one.run.answer, one.delivered]), flush=True)
print("end", flush=True)
"""


class Batch:
    """A process that maps the same inputs each time, and the results it printed."""

    def __init__(self, settings: dict[str, str], agent: str, file: Path):
        self._environment = {**os.environ, **settings}
        self._arguments = [sys.executable, "-c", BATCH, agent, str(file)]
        self.results: dict[int, tuple[str, str]] = {}

    def start(self, inputs: int = INPUTS) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._arguments, str(inputs)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self, process: subprocess.Popen[str]) -> int:
        """Return the exit code; collect the results, which must match earlier ones."""
        out, errors = process.communicate(timeout=60)
        for line in out.splitlines(keepends=True):
            if line.startswith("[") and line.endswith("\n"):
                index, run_id, answer, _ = json.loads(line)
                assert self.results.setdefault(index, (run_id, answer)) == (run_id, answer)
        if process.returncode == 0:
            assert out.endswith("end\n")
            assert out.count("[") == INPUTS
        elif process.returncode != -signal.SIGKILL:
            print(errors, file=sys.stderr)
        return process.returncode

    def check(self, messages: list[str]) -> None:
        """Check that each input has a result and its own run, and that there are no other runs."""
        assert sorted(self.results) == list(range(INPUTS))
        assert len({run_id for run_id, _ in self.results.values()}) == INPUTS
        wanted = Counter(f"Process {number // 2}" for number in range(INPUTS))
        assert Counter(messages) == wanted
        for index, (_, answer) in self.results.items():
            assert answer == f"did Process {index // 2}"


class Works:
    """Handles the runs of the fake API slowly, and can signal the batch at any start.

    Attributes:
        starts: number of starts.
    """

    def __init__(self, fake_api: FakeAPI, seed: int):
        self._fake_api = fake_api
        self._random = random.Random(seed)
        self.starts = 0
        self._at_start: Callable[[int, str], None] = lambda number, place: None
        fake_api.before, fake_api.after = self.before, self.after

    def before(self, seen: ReceivedRequest) -> None:
        if seen.method == "GET" and seen.path.endswith("/runs"):
            with self._fake_api.lock:
                for run_id, run in self._fake_api.runs.items():
                    if run["status"] == "pending" and self._random.random() < 0.5:
                        said = self._fake_api.conversations[run_id][0]["text_content"]
                        self._fake_api.say(run_id, f"did {said}")
                        self._fake_api.end(run_id)
        elif seen.method == "POST":
            with self._fake_api.lock:
                self.starts += 1
                number = self.starts
            self._signal_and_wait(number, "before")

    def after(self, seen: ReceivedRequest) -> None:
        if seen.method == "POST":
            self._signal_and_wait(self.starts, "after")

    def _signal_and_wait(self, number: int, place: str) -> None:
        self._at_start(number, place)
        time.sleep(self._random.uniform(0, 0.05))

    def send_at(
        self, number: signal.Signals, more: int, where: str
    ) -> Future[subprocess.Popen[str]]:
        """Signal a process once, before or after a later start, `more` starts from now.

        Returns:
            A future for the process. The signal waits until it is set.
        """
        first = self.starts + more
        process: Future[subprocess.Popen[str]] = Future()
        once = threading.Lock()

        def signal_it(start: int, place: str) -> None:
            if start >= first and place == where and once.acquire(blocking=False):
                process.result().send_signal(number)

        self._at_start = signal_it
        return process


@pytest.mark.long
@pytest.mark.seeds(quick=1, full=3)
def test_batches_killed_at_starts_have_one_run_for_each_input_without_idempotency_keys(
    fake_api: FakeAPI, tmp_path: Path, seed: int
) -> None:
    moments = random.Random(seed)
    works = Works(fake_api, seed)
    settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": fake_api.base_url, "DUVO_TEAM_ID": TEAM}
    batch = Batch(settings, AGENT, tmp_path / "journal")
    for _ in range(4):
        more, where = moments.randint(1, 9), moments.choice(["before", "after"])
        process = works.send_at(signal.SIGKILL, more, where)
        process.set_result(batch.start())
        assert batch.wait(process.result()) == -signal.SIGKILL
    assert batch.wait(batch.start()) == 0
    with fake_api.lock:
        batch.check([texts[0]["text_content"] for texts in fake_api.conversations.values()])


@agent("Worker")
async def worker(run: RunContext) -> None:
    await run.sleep(0.05)
    if (run.message or "").endswith("7"):
        await run.approval("Go on?")
    await run.say(f"did {run.message}")


RELEASED = threading.Event()


@agent("Held worker")
async def held_worker(run: RunContext) -> None:
    await asyncio.to_thread(RELEASED.wait)
    await run.say(f"did {run.message}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    """An engine with these agents."""
    with Server([worker, held_worker], port=0, examples=False) as server:
        yield server


@pytest.fixture
def settings(engine: Server) -> dict[str, str]:
    """The environment variables of the engine's clients."""
    return {
        "DUVO_API_KEY": engine.api_key,
        "DUVO_API_BASE_URL": engine.base_url,
        "DUVO_TEAM_ID": engine.team_id,
    }


@pytest.fixture
def known(engine: Server) -> set[str]:
    """The ids of the runs of earlier tests."""
    with duvo.Client(engine.api_key, engine.base_url, engine.team_id) as client:
        return {run.id for run in client.runs.list()}


def messages(engine: Server, known: set[str]) -> list[str]:
    """Return the start messages of all other runs."""
    with duvo.Client(engine.api_key, engine.base_url, engine.team_id) as client:
        runs = [run for run in client.runs.list() if run.id not in known]
        return [
            next(one.content for one in run.messages() if one.content.startswith("Process"))
            for run in runs
        ]


@pytest.mark.long
@pytest.mark.seeds(quick=1, full=3)
def test_batches_killed_at_random_moments_have_one_run_for_each_input_on_the_engine(
    engine: Server, settings: dict[str, str], known: set[str], tmp_path: Path, seed: int
) -> None:
    moments = random.Random(seed)
    batch = Batch(settings, "Worker", tmp_path / "journal")
    for _ in range(4):
        process = batch.start()
        assert process.stderr
        assert process.stderr.readline() == "begin\n"
        # At a random moment.
        time.sleep(moments.uniform(0.0, 0.5))
        process.kill()
        assert batch.wait(process) in (0, -signal.SIGKILL)
    assert batch.wait(batch.start()) == 0
    batch.check(messages(engine, known))


@pytest.mark.long
def test_a_second_process_with_the_same_journal_is_refused_in_one_line(
    engine: Server, settings: dict[str, str], known: set[str], tmp_path: Path
) -> None:
    batch = Batch(settings, "Held worker", tmp_path / "journal")
    first = batch.start()
    assert first.stderr
    assert first.stderr.readline() == "begin\n"
    try:
        # The first holds the journal: none of its runs has ended.
        second = batch.start()
        out, errors = second.communicate(timeout=60)
        assert first.poll() is None
    finally:
        RELEASED.set()
    assert batch.wait(first) == 0
    assert (second.returncode, out) == (1, "")
    assert errors.splitlines()[-1].startswith("duvo._errors.JournalError: the journal ")
    assert "is in use by another process" in errors
    batch.check(messages(engine, known))


def test_ctrl_c_records_starts_in_progress_and_the_next_batch_continues(
    fake_api: FakeAPI, tmp_path: Path
) -> None:
    works = Works(fake_api, 1)
    settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": fake_api.base_url, "DUVO_TEAM_ID": TEAM}
    batch = Batch(settings, AGENT, tmp_path / "journal")
    for _ in range(3):
        # At most eight starts are in progress then, so some are left for the next process.
        process = works.send_at(signal.SIGINT, 5, "before")
        process.set_result(batch.start())
        assert batch.wait(process.result()) == -signal.SIGINT
        # At most the start that a thread was just given is in doubt.
        states = journal_states(tmp_path / "journal")
        assert states["sending"] <= 1
        known = states["started"] + states["finished"]
        assert known in (len(fake_api.runs), len(fake_api.runs) - states["sending"])
    assert batch.wait(batch.start()) == 0
    batch.check([texts[0]["text_content"] for texts in fake_api.conversations.values()])


def journal_states(file: Path) -> Counter[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(file)) as connection:
        return Counter(state for (state,) in connection.execute("SELECT state FROM inputs"))


@pytest.mark.long
def test_a_batch_with_added_inputs_starts_only_those(
    engine: Server, settings: dict[str, str], known: set[str], tmp_path: Path
) -> None:
    batch = Batch(settings, "Worker", tmp_path / "journal")
    short = batch.start(INPUTS - 6)
    _, errors = short.communicate(timeout=60)
    assert (short.returncode, errors) == (0, "begin\n")
    assert len(messages(engine, known)) == INPUTS - 6
    assert batch.wait(batch.start()) == 0
    batch.check(messages(engine, known))
