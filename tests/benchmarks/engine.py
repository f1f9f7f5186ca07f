"""What the engine takes: python -m tests.benchmarks.engine [--waiting N] [--postgresql]

Each engine runs in a process of its own, so that its memory, threads and CPU
time are its own; PostgreSQL has 1, 2 and 4 of them. Each figure is printed as
it comes.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.servers.postgresql import running
from tests.support.command import DUVO

AGENTS = """
from duvo.local import agent

@agent("Five")
async def five(run):
    for number in range(5):
        await run.say(f"message {number}")

@agent("Many")
async def many(run):
    for number in range(int(run.message)):
        await run.say(f"message {number}")

@agent("Waiter")
async def waiter(run):
    await run.approval("Go on?")
    await run.say("went on")
"""

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


class Engine:
    """An engine in a process of its own, and a session with it."""

    def __init__(self, folder: Path, database: str):
        agents = folder / "agents.py"
        agents.write_text(AGENTS)
        command = [DUVO, "dev", str(agents), "--no-examples", "--json", "--port", "0"]
        before = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--database", database],
            env={**os.environ, "DUVO_CONFIG_DIR": str(folder), "DUVO_STATE_DIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.base_url, self.key, self.team = told["base_url"], told["api_key"], told["team_id"]
        self.start_up = time.perf_counter() - before
        self.session = self.new_session()
        page = self.get(f"/v2/teams/{self.team}/agents")
        self.agents = {one["name"]: one["id"] for one in page["agents"]}

    def new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.key}"
        return session

    def get(self, path: str) -> dict:
        answer = self.session.get(self.base_url + path, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict, session: requests.Session | None = None) -> dict:
        answer = (session or self.session).post(self.base_url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def start(
        self, agent: str, message: str | None = None, session: requests.Session | None = None
    ) -> str:
        body = {"agent_id": self.agents[agent], "message": message}
        return self.post(f"/v2/teams/{self.team}/runs", body, session)["run"]["id"]

    def wait(self, run_id: str) -> dict:
        while True:
            found = self.get(f"/v2/runs/{run_id}?wait=25")
            if found["run"]["completed_at"] or found.get("pending_human_request"):
                return found

    def count(self, status: str) -> int:
        return self.get(f"/v2/teams/{self.team}/runs?limit=1&status={status}")["total"]

    @property
    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def told(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        raise LookupError(name)

    def kill(self) -> None:
        self.session.close()
        self.process.kill()
        self.process.communicate()


def show(what: str, figure: str) -> None:
    print(f"{what:<58} {figure}", flush=True)


def until(condition: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            sys.exit("it did not come in time")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--postgresql", action="store_true")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        if parsed.postgresql:
            new_database = stack.enter_context(running(fsync=True)).database
        else:
            numbers = itertools.count()

            def new_database() -> str:
                return str(folder / f"runs_{next(numbers)}.sqlite")

        measure_alone(folder, new_database())
        database = new_database()
        engine = Engine(folder, database)
        try:
            runs = measure(engine, parsed.waiting)
        finally:
            engine.kill()
        measure_recovery(folder, database, runs)
        if parsed.postgresql:
            for count in (1, 2, 4):
                measure_servers(folder, new_database(), count)


def measure_alone(folder: Path, database: str) -> None:
    program, agents = folder / "alone.py", folder / "agents.py"
    program.write_text(ALONE)
    agents.write_text(AGENTS)
    command = [sys.executable, str(program), str(agents), database]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in told.splitlines():
        clients, rate, cpu = line.split()
        show(
            f"runs of 5 messages, the engine alone, {clients} at once",
            f"{float(rate):.0f} /s, {float(cpu):.1f} ms CPU each",
        )


def measure_recovery(folder: Path, database: str, runs: list[str]) -> None:
    before = time.perf_counter()
    again = Engine(folder, database)
    show("killed and started again: until requests are answered", f"{again.start_up:.2f} s")
    # They are recovered one after the other: when these have gone on, so have all.
    chosen = runs[:: max(1, len(runs) // 50)]
    for run_id in chosen:
        request = again.get(f"/v2/runs/{run_id}")["pending_human_request"]["id"]
        again.post(f"/v2/runs/{run_id}/human-requests/{request}/respond", {"approved": True})
    again.wait(chosen[0])
    show("… until a waiting run has gone on", f"{time.perf_counter() - before:.1f} s")
    for run_id in chosen:
        again.wait(run_id)
    show("… until all of them have", f"{time.perf_counter() - before:.1f} s")
    again.kill()


def measure_servers(folder: Path, database: str, count: int) -> None:
    engines = [Engine(folder, database) for _ in range(count)]
    with contextlib.ExitStack() as stack:
        for engine in engines:
            stack.callback(engine.kill)
        clients = [(engine, engine.new_session()) for engine in engines for _ in range(8 // count)]
        before = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: _start(*clients[n % 8], "Five"), range(400)))
        until(lambda: engines[0].count("completed") >= 400)
        rate = 400 / (time.perf_counter() - before)
        before = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: _start(*clients[n], "Many", "500"), range(8)))
        until(lambda: engines[0].count("completed") >= 408)
        messages = 8 * 500 / (time.perf_counter() - before)
        for _, session in clients:
            session.close()
    show(f"{count} servers, 8 clients", f"{rate:.0f} runs/s, {messages:.0f} messages/s")


def _start(engine: Engine, session: requests.Session, agent: str, message: str = "go") -> str:
    return engine.start(agent, message, session)


def measure(engine: Engine, waiting: int) -> list[str]:
    show("start-up, process to first answer", f"{engine.start_up:.2f} s")
    for _ in range(5):
        engine.wait(engine.start("Five"))
    before = time.perf_counter()
    for _ in range(100):
        engine.wait(engine.start("Five"))
    show(
        "runs of 5 messages, one after the other", f"{100 / (time.perf_counter() - before):.0f} /s"
    )

    sessions = [engine.new_session() for _ in range(8)]

    def follow(number: int) -> None:
        session = sessions[number % 8]
        run_id, seen = engine.start("Five", session=session), 0
        while True:
            path = f"/v2/runs/{run_id}/messages?limit=50&wait=25&offset={seen}"
            page = session.get(engine.base_url + path, timeout=60).json()["messages"]
            seen += len(page)
            if page and page[-1]["type"] == "session_completed":
                return

    before = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(400)))
    show(
        "runs of 5 messages, followed to the end by 8 clients",
        f"{400 / (time.perf_counter() - before):.0f} /s",
    )
    before = time.perf_counter()
    run_id = engine.start("Many", "5000")
    while not engine.get(f"/v2/runs/{run_id}?wait=25")["run"]["completed_at"]:
        pass
    show("messages of one run", f"{5000 / (time.perf_counter() - before):.0f} /s")

    before = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        runs = list(
            pool.map(lambda n: engine.start("Waiter", session=sessions[n % 8]), range(waiting))
        )
    until(lambda: engine.count("waiting") >= waiting, 600)
    show(f"{waiting} runs started until they wait", f"{time.perf_counter() - before:.1f} s")
    show(f"threads while {waiting} wait", str(engine.told("Threads")))
    show(f"memory while {waiting} wait", f"{engine.told('VmRSS') / 1024:.0f} MB")
    time.sleep(3)
    cpu, before = engine.cpu, time.perf_counter()
    time.sleep(10)
    idle = (engine.cpu - cpu) / (time.perf_counter() - before)
    show(f"idle CPU while {waiting} wait, of one core", f"{idle:.1%}")

    delays = []
    reader = engine.new_session()
    answered = set(runs[:: max(1, waiting // 100)][:-1])
    for run_id in answered:
        request = engine.get(f"/v2/runs/{run_id}")["pending_human_request"]["id"]
        offset = engine.get(f"/v2/runs/{run_id}/messages")["total"] + 1
        answer = reader.get(
            f"{engine.base_url}/v2/runs/{run_id}/messages?offset={offset}&wait=25",
            stream=True,
            timeout=60,
        )
        before = time.perf_counter()
        path = f"/v2/runs/{run_id}/human-requests/{request}/respond"
        engine.post(path, {"approved": True})
        page = json.loads(b"".join(answer.iter_content(None)))
        delays.append(time.perf_counter() - before)
        assert page["messages"][0]["text_content"] == "went on"
    for session in [reader, *sessions]:
        session.close()
    show(
        "answer to the run's next message, p50 and worst",
        f"{statistics.median(delays) * 1000:.0f} ms, {max(delays) * 1000:.0f} ms",
    )
    return [run_id for run_id in runs if run_id not in answered]


if __name__ == "__main__":
    main()
