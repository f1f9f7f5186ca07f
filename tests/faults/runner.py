"""Runs scenarios with seeds: in tests, or by hand against a temporary engine.

duvo dev tests/faults/agents.py -- python -m tests.faults.runner blocking follow 17
duvo dev tests/faults/agents.py -- python -m tests.faults.runner async all 0-5000
"""

from __future__ import annotations

import atexit
import faulthandler
import functools
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import duvo
from tests.faults import batches, scenarios
from tests.faults.play import Play, behind_faults
from tests.faults.schedule import Link
from tests.servers.engine_api import EngineAPI
from tests.support.blocking import FacadeClient, LoopThread

SCENARIOS: dict[str, Callable[[Play], None]] = {
    "start": scenarios.start,
    "follow": scenarios.follow,
    "resume": scenarios.resume,
    "wait": scenarios.wait,
    "respond": scenarios.respond,
    "stop": scenarios.stop,
    "post": scenarios.post,
    "map": batches.map,
    "watch": batches.watch,
}

WITH_SHIFTING_PAGES = ("follow", "wait")
"""The scenarios in which pages may shift: there, the client can notice."""

HANGS_AFTER = 240.0
"""Seconds after which a scenario counts as hanging; it usually takes 0.1."""

_AT_ONCE = 4


@functools.cache
def _loop_thread() -> LoopThread:
    thread = LoopThread()
    atexit.register(thread.close)
    return thread


CLIENTS: dict[str, Callable[..., duvo.Client]] = {
    "blocking": duvo.Client,
    "async": lambda **settings: FacadeClient(_loop_thread(), **settings),
}


def play(api: EngineAPI, client: str, name: str, seed: int) -> None:
    """Run a scenario with a seed, by a client of `CLIENTS`.

    Raises:
        AssertionError: the scenario failed; names the seed, the last requests
            and the command that repeats it.
    """
    failures: list[str] = []
    may_shift = name in WITH_SHIFTING_PAGES
    with behind_faults(api, seed, may_shift, CLIENTS[client]) as one:

        def work() -> None:
            try:
                SCENARIOS[name](one)
            except BaseException:
                failures.append(traceback.format_exc())

        thread = threading.Thread(target=work, name=f"{name} {seed}", daemon=True)
        thread.start()
        thread.join(HANGS_AFTER)
        if thread.is_alive():
            failures.append(f"the scenario hangs:\n{_where_threads_are()}")
    if failures:
        happened = "\n".join(f"  {event}" for event in one.proxy.events[-60:])
        raise AssertionError(
            f"{client} {name}, seed {seed} ({Link(seed)}); repeat with: "
            "duvo dev tests/faults/agents.py -- "
            f"python -m tests.faults.runner {client} {name} {seed}\n{happened}\n{failures[0]}"
        )


def play_all(
    api: EngineAPI, client: str, names: Iterable[str], seeds: Iterable[int]
) -> list[AssertionError]:
    """Run scenarios with seeds, a few at a time; returns the failures."""

    def failure(one: tuple[str, int]) -> AssertionError | None:
        try:
            play(api, client, *one)
        except AssertionError as error:
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(failure, [(name, seed) for seed in seeds for name in names])
        return [error for error in found if error is not None]


def _where_threads_are() -> str:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()


def main(client: str, name: str, seeds: str) -> int:
    """Run seeds such as `7` or `0-999` of a scenario, or of all, by a client."""
    first, _, last = seeds.partition("-")
    environment = ("DUVO_API_BASE_URL", "DUVO_API_KEY", "DUVO_TEAM_ID")
    api = EngineAPI(*(os.environ[one] for one in environment))
    names = list(SCENARIOS) if name == "all" else [name]
    failed = play_all(api, client, names, range(int(first), int(last or first) + 1))
    for error in failed:
        print(error)
    print("failed:", ", ".join(str(one).partition(" (")[0] for one in failed) or "none")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
