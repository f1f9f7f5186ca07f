"""Speed, memory and recovery of the engine: `python -m tests.benchmarks.engine`.

Each engine has a process of its own; with `--postgresql` there are 1, 2 and 4
of them on one database. Each figure is printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.benchmarks.engine_process import AGENTS, EngineProcess
from tests.benchmarks.figures import show, status_field, time_limit
from tests.servers.postgresql import running

CLIENTS = 8

ALONE = """
import asyncio, functools, sys, time
from duvo.local import load_agents
from duvo.local._execution.engine import Engine
from duvo.local._database.location import locate
from duvo.local._database.database import Database
from duvo.local._store import appending, commands, queries

async def one(engine, agent):
    run_id = appending.new_id()
    start = functools.partial(commands.start, agent=agent, run_id=run_id, message="go",
                              sandbox_id=None, webhook_url=None)
    with engine.notifier.subscribe(run_id) as changes:
        await engine.change(start)
        while True:
            changes.clear()
            if (await engine.transact(functools.partial(queries.run, run_id=run_id))).ended:
                return
            await changes.wait()

async def many(engine, agent, count):
    for _ in range(count):
        await one(engine, agent)

async def measure(engine, agent):
    await engine.launch()
    await many(engine, agent, 20)
    for clients in (1, 8):
        before, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(many(engine, agent, 400 // clients) for _ in range(clients)))
        took, cpu = time.perf_counter() - before, time.process_time() - cpu
        print(clients, 400 / took, cpu / 400 * 1000, flush=True)
    await engine.leave()

agents = load_agents(sys.argv[1])
database = Database(locate(sys.argv[2]))
engine = Engine(database, agents)
asyncio.run(measure(engine, agents[0]))
engine.close()
database.close()
"""


def main() -> None:
    """Measure an engine, and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=1000, help="runs that wait for a human")
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        stack.enter_context(time_limit(1200))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        new_database: Callable[[], str]
        if options.postgresql:
            new_database = stack.enter_context(running(fsync=True)).database
        else:
            numbers = itertools.count()

            def new_database() -> str:
                return str(folder / f"runs_{next(numbers)}.sqlite")

        measure_alone(folder, new_database())
        database = new_database()
        waiting = measure(folder, database, options.waiting)
        measure_recovery(folder, database, waiting)
        if options.postgresql:
            for count in (1, 2, 4):
                measure_servers(folder, new_database(), count)


def measure_alone(folder: Path, database: str) -> None:
    """Measure the engine without HTTP."""
    program, agents = folder / "alone.py", folder / "agents.py"
    program.write_text(ALONE)
    agents.write_text(AGENTS)
    command = [sys.executable, str(program), str(agents), database]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    for line in output.splitlines():
        clients, rate, cpu = line.split()
        show(
            f"runs of 5 messages without HTTP, {clients} at once",
            f"{float(rate):.0f} /s, {float(cpu):.1f} ms CPU each",
        )


def measure(folder: Path, database: str, waiting: int) -> list[str]:
    """Measure one engine, and return the ids of runs that wait for a human when it is killed."""
    with contextlib.ExitStack() as stack:
        engine = EngineProcess(folder, database)
        stack.callback(engine.kill)
        sessions = [stack.enter_context(engine.new_session()) for _ in range(CLIENTS)]
        show("start-up, process to first response", f"{engine.start_up:.2f} s")
        measure_one_after_the_other(engine)
        measure_followed(engine, sessions)
        measure_messages(engine)
        run_ids = measure_waiting(engine, sessions, waiting)
        answered = set(run_ids[:: max(1, waiting // 100)][:-1])
        measure_answers(engine, answered)
    return [run_id for run_id in run_ids if run_id not in answered]


def measure_one_after_the_other(engine: EngineProcess) -> None:
    """Measure runs that are started when the one before has ended."""
    for _ in range(5):
        engine.wait(engine.start("Five"))
    began = time.perf_counter()
    for _ in range(100):
        engine.wait(engine.start("Five"))
    rate = 100 / (time.perf_counter() - began)
    show("runs of 5 messages, one after the other", f"{rate:.0f} /s")


def measure_followed(engine: EngineProcess, sessions: list[requests.Session]) -> None:
    """Measure runs that several clients start and follow to the end."""

    def follow(number: int) -> None:
        session = sessions[number % CLIENTS]
        run_id, seen = engine.start("Five", session=session), 0
        while True:
            path = f"/v2/runs/{run_id}/messages?limit=50&wait=25&offset={seen}"
            page = engine.get(path, session)["messages"]
            seen += len(page)
            if page and page[-1]["type"] == "session_completed":
                return

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(follow, range(400)))
    rate = 400 / (time.perf_counter() - began)
    show(f"runs of 5 messages, followed to the end by {CLIENTS} clients", f"{rate:.0f} /s")


def measure_messages(engine: EngineProcess) -> None:
    """Measure a run that says much."""
    began = time.perf_counter()
    run_id = engine.start("Many", "5000")
    engine.wait(run_id)
    show("messages of one run", f"{5000 / (time.perf_counter() - began):.0f} /s")


def measure_waiting(
    engine: EngineProcess, sessions: list[requests.Session], waiting: int
) -> list[str]:
    """Measure many runs that wait for a human, and return their ids."""
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        run_ids = list(
            pool.map(
                lambda number: engine.start("Waiter", session=sessions[number % CLIENTS]),
                range(waiting),
            )
        )
    engine.wait_for_count("waiting", waiting, 600.0)
    show(f"{waiting} runs started until they wait", f"{time.perf_counter() - began:.1f} s")
    show(f"threads while {waiting} wait", str(status_field(engine.pid, "Threads")))
    show(f"memory while {waiting} wait", f"{status_field(engine.pid, 'VmRSS') / 1024:.0f} MB")
    time.sleep(3)
    cpu, began = engine.cpu, time.perf_counter()
    time.sleep(10)
    idle = (engine.cpu - cpu) / (time.perf_counter() - began)
    show(f"idle CPU while {waiting} wait, of one core", f"{idle:.1%}")
    return run_ids


def measure_answers(engine: EngineProcess, run_ids: set[str]) -> None:
    """Measure the time from an answer to the run's next message."""
    delays = []
    with engine.new_session() as reader:
        for run_id in run_ids:
            request_id = engine.pending_request(run_id)
            offset = engine.get(f"/v2/runs/{run_id}/messages")["total"] + 1
            response = reader.get(
                f"{engine.base_url}/v2/runs/{run_id}/messages?offset={offset}&wait=25",
                stream=True,
                timeout=60,
            )
            began = time.perf_counter()
            engine.approve(run_id, request_id)
            page = json.loads(b"".join(response.iter_content(None)))
            delays.append(time.perf_counter() - began)
            assert page["messages"][0]["text_content"] == "posted"
    median, worst = statistics.median(delays) * 1000, max(delays) * 1000
    show("answer to the run's next message, median and worst", f"{median:.0f} ms, {worst:.0f} ms")


def measure_recovery(folder: Path, database: str, run_ids: list[str]) -> None:
    """Measure an engine that finds waiting runs of an engine that was killed."""
    began = time.perf_counter()
    engine = EngineProcess(folder, database)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.kill)
        show("killed and started again: until requests are served", f"{engine.start_up:.2f} s")
        # They are recovered one after the other: once these have continued, all have.
        chosen = run_ids[:: max(1, len(run_ids) // 50)]
        for run_id in chosen:
            engine.approve(run_id, engine.pending_request(run_id))
        engine.wait(chosen[0])
        show("… until a waiting run has continued", f"{time.perf_counter() - began:.1f} s")
        for run_id in chosen:
            engine.wait(run_id)
        show("… until all of them have", f"{time.perf_counter() - began:.1f} s")


def measure_servers(folder: Path, database: str, count: int) -> None:
    """Measure several engines on one database."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            engine = EngineProcess(folder, database)
            stack.callback(engine.kill)
            clients += [
                (engine, stack.enter_context(engine.new_session())) for _ in range(CLIENTS // count)
            ]

        def start(number: int, agent: str, message: str) -> str:
            engine, session = clients[number % CLIENTS]
            return engine.start(agent, message, session)

        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: start(number, "Five", "go"), range(400)))
        engine.wait_for_count("completed", 400)
        rate = 400 / (time.perf_counter() - began)
        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: start(number, "Many", "500"), range(CLIENTS)))
        engine.wait_for_count("completed", 400 + CLIENTS)
        messages = CLIENTS * 500 / (time.perf_counter() - began)
    show(f"{count} servers, {CLIENTS} clients", f"{rate:.0f} runs/s, {messages:.0f} messages/s")


if __name__ == "__main__":
    main()
