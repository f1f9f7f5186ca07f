"""What the engine takes: python tests/benchmarks/engine.py [--waiting N]

The engine runs in a process of its own, so that its memory, threads and CPU
time are its own. Each figure is printed as it comes.
"""

from __future__ import annotations

import argparse
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

SERVE = """
import sys, threading
from duvo.local import Server, load_agents

server = Server(load_agents(sys.argv[1]), database=sys.argv[2], port=0, examples=False)
server.start()
print(server.base_url, server.api_key, server.team_id, flush=True)
threading.Event().wait()
"""


class Engine:
    """An engine in a process of its own, and a session with it."""

    def __init__(self, folder: Path):
        program, agents = folder / "serve.py", folder / "agents.py"
        program.write_text(SERVE)
        agents.write_text(AGENTS)
        before = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, str(program), str(agents), str(folder / "runs.sqlite")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base_url, self.key, self.team = self.process.stdout.readline().split()
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
    waiting = parser.parse_args().waiting
    with tempfile.TemporaryDirectory() as name:
        engine = Engine(Path(name))
        try:
            measure(engine, waiting)
        finally:
            engine.kill()
        again = Engine(Path(name))
        before = time.perf_counter()
        parked = again.get(f"/v2/teams/{again.team}/runs?limit=1&status=waiting")["data"][0]["id"]
        request = again.get(f"/v2/runs/{parked}")["pending_human_request"]["id"]
        path = f"/v2/runs/{parked}/human-requests/{request}/respond"
        again.post(path, {"approved": True})
        again.wait(parked)
        show("killed and started again: until requests are answered", f"{again.start_up:.2f} s")
        show("… and until a waiting run has gone on", f"{time.perf_counter() - before:.2f} s")
        again.kill()


def measure(engine: Engine, waiting: int) -> None:
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
    before = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: engine.start("Five", session=sessions[n % 8]), range(400)))
    until(lambda: engine.count("completed") >= 505)
    show("runs of 5 messages, 8 clients", f"{len(runs) / (time.perf_counter() - before):.0f} /s")
    for session in sessions:
        session.close()

    before = time.perf_counter()
    run_id = engine.start("Many", "5000")
    while not engine.get(f"/v2/runs/{run_id}?wait=25")["run"]["completed_at"]:
        pass
    show("messages of one run", f"{5000 / (time.perf_counter() - before):.0f} /s")

    before = time.perf_counter()
    runs = [engine.start("Waiter") for _ in range(waiting)]
    until(lambda: engine.count("waiting") >= waiting)
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
    for run_id in runs[:: max(1, waiting // 100)][:-1]:
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
    reader.close()
    show(
        "answer to the run's next message, p50 and worst",
        f"{statistics.median(delays) * 1000:.0f} ms, {max(delays) * 1000:.0f} ms",
    )


if __name__ == "__main__":
    main()
