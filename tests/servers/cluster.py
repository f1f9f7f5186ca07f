"""Servers that share a PostgreSQL database, each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import psycopg

from tests.servers.engine_api import LocalApi

AGENTS = """
    import asyncio, os, time
    from duvo.local import agent

    SIDE = os.environ["SIDE_FILE"]

    def note(*words):
        with open(SIDE, "a") as file:
            file.write(" ".join(map(str, words)) + "\\n")

    def write(step, idempotency_key):
        note(idempotency_key, "begun", time.time())
        return {"step": step}

    @agent("Worker")
    async def worker(run):
        await run.say(f"got {run.message}")
        for step in range(4):
            done = await run.tool("write", {"step": step}, write)
            await run.say(f"step {done['step']}")
            await run.sleep(0.5)
        await run.say("end")

    @agent("Walker")
    async def walker(run):
        for step in range(15):
            await run.tool("write", {"step": step}, write)
            await run.sleep(0.3)

    async def gate():
        while not os.path.exists(SIDE + ".open"):
            await asyncio.sleep(0.1)

    @agent("Gated")
    async def gated(run):
        await run.say(f"got {run.message}")
        await run.tool("write", {"step": 0}, write)
        await run.say("step 0")
        await run.tool("gate", {}, gate)
        for step in range(1, 4):
            await run.tool("write", {"step": step}, write)
            await run.say(f"step {step}")
        await run.say("end")

    @agent("Asker")
    async def asker(run):
        await run.tool("write", {"step": 0}, write)
        answer = await run.approval("Go on?")
        done = await run.tool("write", {"step": 1}, write)
        await run.say(f"went {answer}")

    async def hold(idempotency_key):
        note(idempotency_key, "held")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note(idempotency_key, "cancelled")
            raise

    async def work_long(idempotency_key):
        note(idempotency_key, "long")
        await asyncio.sleep(4)

    @agent("Napper")
    async def napper(run):
        await run.say("asleep")
        await run.sleep(2)
        await run.tool("work_long", {}, work_long)

    @agent("Holder")
    async def holder(run):
        await run.tool("hold", {}, hold)
"""

SERVE = """
    import sys, threading
    from duvo.local import Server, load_agents

    server = Server(load_agents(sys.argv[1]), database=sys.argv[2], port=0, examples=False)
    server.start()
    print(server.base_url, server.api_key, server.team_id, flush=True)
    sys.stdin.read()
    server.close()
"""


class ServerProcess:
    """A server in its own process.

    Attributes:
        api: a session with it.
    """

    def __init__(self, fleet: Fleet, name: str):
        self._errors = fleet.folder / f"{name}.txt"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, fleet.program, fleet.agents, fleet.url],
                env=os.environ | {"SIDE_FILE": str(fleet.side_file)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ready(self) -> ServerProcess:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.stderr
        self.api = LocalApi(*line.split())
        return self

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process.poll() is None:
            self.send(signal.SIGKILL)
        self._end()

    def leave(self) -> None:
        """Let the server end cleanly, as Ctrl-C does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._end()

    def _end(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        if hasattr(self, "api"):
            self.api.close()

    @property
    def stderr(self) -> str:
        return self._errors.read_text()


class Fleet:
    """The servers of one database, and the file in which their agents' tools record calls."""

    def __init__(self, folder: Path, url: str):
        self.folder, self.url = folder, url
        self.program, self.agents = folder / "serve.py", folder / "agents.py"
        self.program.write_text(textwrap.dedent(SERVE))
        self.agents.write_text(textwrap.dedent(AGENTS))
        self.side_file = folder / "side.txt"
        self.side_file.touch()
        self._servers: list[ServerProcess] = []

    def start(self, count: int) -> list[ServerProcess]:
        """Start servers at the same time."""
        before = len(self._servers)
        new = [ServerProcess(self, f"server-{before + number}") for number in range(count)]
        self._servers += new
        return [server.ready() for server in new]

    def open_the_gate(self) -> None:
        """Let calls of the tool `gate` return."""
        self.side_file.with_name(f"{self.side_file.name}.open").touch()

    def calls(self) -> list[str]:
        """Return the idempotency keys of all calls, in order."""
        return [line.split()[0] for line in self.side_file.read_text().splitlines()]

    def close(self) -> None:
        for server in self._servers:
            server.kill()

    def steps_run_again(self) -> list[str]:
        """Return the calls of `write` that began after their result had been recorded."""
        begun = defaultdict(list)
        for line in self.side_file.read_text().splitlines():
            key, what, *moment = line.split()
            if what == "begun":
                begun[key].append(float(moment[0]))
        # An agent makes its calls one after another: the nth to end has the nth key.
        keys = defaultdict(list)
        for key in sorted(begun, key=lambda key: int(key.partition("/")[2])):
            keys[key.partition("/")[0]].append(key)
        with psycopg.connect(self.url) as connection:
            ended = connection.execute(
                "SELECT split_part(workflow_uuid, ':', 1), completed_at_epoch_ms / 1000.0"
                " FROM dbos.operation_outputs WHERE function_name = 'tool write'"
                " ORDER BY workflow_uuid, function_id"
            ).fetchall()
        moments = defaultdict(list)
        for run_id, moment in ended:
            moments[run_id].append(float(moment))
        return [
            key
            for run_id, ends in moments.items()
            for key, end in zip(keys[run_id], ends, strict=False)
            if max(begun[key]) > end + 0.002
        ]
