"""Runs that kill their server are set aside; runs beside them are not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from duvo.local._database.database import Database
from duvo.local._database.location import locate
from duvo.local._execution.resumed import Resumed
from tests.servers.engine_api import EngineAPI, wait_until

pytestmark = pytest.mark.long

AGENTS = """
    import asyncio, os
    from duvo.local import agent

    GATE = os.environ["GATE"]

    @agent("Fatal")
    async def fatal(run):
        if await run.approval("Go on?"):
            await run.sleep(0.01)
            await run.tool("crash", {}, lambda: os._exit(137))

    @agent("Fatal at once")
    async def fatal_at_once(run):
        await run.say("I begin")
        os._exit(137)

    async def gate():
        while not os.path.exists(GATE):
            await asyncio.sleep(0.02)

    @agent("Patient")
    async def patient(run):
        await run.tool("gate", {}, gate)
        await run.say("through")
"""

SERVE = """
    import sys
    from duvo.local import Server, load_agents

    server = Server(load_agents(sys.argv[1]), database=sys.argv[2], port=0, examples=False)
    server.start()
    print(server.base_url, server.api_key, server.team_id, flush=True)
    sys.stdin.read()
    server.close()
"""


class Servers:
    """Starts servers of these agents on one database."""

    def __init__(self, folder: Path, database: str):
        self._folder, self.database = folder, database
        self.gate = folder / "gate"
        self.started: list[subprocess.Popen[str]] = []
        (folder / "serve.py").write_text(textwrap.dedent(SERVE))
        (folder / "agents.py").write_text(textwrap.dedent(AGENTS))

    def start(self) -> tuple[EngineAPI | None, subprocess.Popen[str]]:
        """Start a server; without an API if it dies before it serves."""
        with (self._folder / "errors.txt").open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, "serve.py", "agents.py", self.database],
                cwd=self._folder,
                env=os.environ | {"GATE": str(self.gate)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return (EngineAPI(*line.split()) if line else None), process

    @property
    def errors(self) -> str:
        return (self._folder / "errors.txt").read_text()

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Servers on a SQLite file, none of them started."""
    servers = Servers(tmp_path, "runs.sqlite")
    yield servers
    servers.close()


def _resumed(folder: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        return [row[0] for row in connection.execute("SELECT resumed FROM duvo_runs")]


@pytest.mark.parametrize("agent", ["Fatal", "Fatal at once"])
def test_a_run_that_kills_its_server_is_failed_and_runs_beside_it_continue(
    agent: str, servers: Servers
) -> None:
    api, process = servers.start()
    assert api is not None
    patient = api.start("Patient")
    wait_until(lambda: len(api.conversation(patient)) == 2, 20, "the tool was not called")
    fatal = api.start(agent)
    if agent == "Fatal":
        api.respond(fatal, api.wait_for_request(fatal)["id"], approved=True)
    for _ in range(3):
        process.wait(30)
        _, process = servers.start()
    # Both have been resumed twice: they are resumed alone, and the fatal one in its turn.
    servers.gate.touch()
    process.wait(30)
    assert [process.poll() for process in servers.started] == [137] * 4
    api, process = servers.start()
    assert api is not None
    assert api.wait_for_end(fatal)["run"]["status"] == "failed"
    assert "the server died" in api.conversation(fatal)[-1]["text_content"]
    assert api.wait_for_end(patient)["run"]["status"] == "completed"
    assert api.texts(patient) == ["through"]
    assert f"run {fatal[:8]} ({agent}) failed after" in servers.errors
    assert servers.errors.count("failed") == 1


def test_clean_ends_of_a_server_condemn_no_run(servers: Servers, tmp_path: Path) -> None:
    api, process = servers.start()
    assert api is not None
    patient = api.start("Patient")
    wait_until(lambda: len(api.conversation(patient)) == 2, 20, "the tool was not called")
    for _ in range(2):
        process.communicate()
        assert (process.returncode, _resumed(tmp_path)) == (0, [0])
        api, process = servers.start()
        assert api is not None
        wait_until(lambda: _resumed(tmp_path) == [1], 20, "the run was not resumed")
    servers.gate.touch()
    assert api.wait_for_end(patient)["run"]["status"] == "completed"
    assert servers.errors == ""


def test_several_servers_die_of_a_run_three_times_at_most(
    tmp_path: Path, postgresql_url: str
) -> None:
    servers = Servers(tmp_path, postgresql_url)
    try:
        api, process = servers.start()
        assert api is not None
        fatal = api.start("Fatal")
        request = api.wait_for_request(fatal)
        second, other = servers.start()
        assert second is not None
        second.respond(fatal, request["id"], approved=True)
        # Each takes over when the one before has died.
        for dying in (process, other):
            dying.wait(30)
            servers.start()
        for dying in servers.started[2:4]:
            dying.wait(30)
        assert [process.poll() for process in servers.started] == [137] * 4
        api, process = servers.start()
        assert api is not None
        assert api.wait_for_end(fatal)["run"]["status"] == "failed"
    finally:
        servers.close()
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SELECT max(resumed) FROM duvo_runs").fetchall() == [(3,)]


def test_suspects_of_two_servers_are_resumed_one_at_a_time(postgresql_url: str) -> None:
    async def main() -> None:
        databases = [Database(locate(postgresql_url)) for _ in range(2)]
        servers = []
        for database in databases:

            async def transact(
                work: Callable[[sa.Connection], None], database: Database = database
            ) -> None:
                database.transact(work)

            servers.append(Resumed(database, transact))
        recording = [asyncio.create_task(server.record()) for server in servers]
        await servers[0].wait_until_alone(("one", 1))
        second = asyncio.create_task(servers[1].wait_until_alone(("two", 1)))
        _, waiting = await asyncio.wait({second}, timeout=0.7)
        assert waiting
        servers[0].progress(("one", 1))
        await asyncio.wait_for(second, 20)
        third = asyncio.create_task(servers[0].wait_until_alone(("one", 1)))
        # As when the server dies: its connections end.
        await servers[1].close()
        await asyncio.wait_for(third, 20)
        for task in recording:
            task.cancel()
        await servers[0].close()
        for database in databases:
            database.close()

    asyncio.run(main())
