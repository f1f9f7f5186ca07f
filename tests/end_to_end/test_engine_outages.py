"""Outages of the database: changes are made once, and nothing hangs."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from dbos import DBOS

from duvo.local import RunContext, Server, agent
from duvo.local._database.database import Database
from duvo.local._database.location import locate
from duvo.local._store.appending import new_id
from duvo.local._store.commands import start
from tests.servers.engine_api import EngineAPI, wait_until
from tests.servers.postgresql import PostgreSQL, Relay

FORGOTTEN = """
import sys, time, requests
from duvo.local import Server, agent

@agent("Slow")
async def slow(run):
    while True:
        await run.tool("nothing", {}, lambda: None)
        await run.sleep(0.05)

server = Server([slow], database=sys.argv[1], port=0)
server.start()
path = f"{server.base_url}/v2/teams/{server.team_id}/runs"
headers = {"Authorization": f"Bearer {server.api_key}"}
requests.post(path, json={"agent_id": slow.id}, headers=headers, timeout=9).raise_for_status()
print("ready", flush=True)
sys.stdin.readline()
"""


@agent("Stubborn")
async def stubborn(run: RunContext) -> None:
    await run.say("I stay")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


@pytest.fixture
def relay(postgresql_url: str) -> Iterator[Relay]:
    """A relay to an empty database."""
    relay = Relay(postgresql_url)
    yield relay
    relay.close()


@pytest.mark.long
def test_a_change_whose_commit_is_not_confirmed_is_made_once(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(database=relay.url, port=0) as server:
        api = EngineAPI.of(server)
        relay.lose_commit_response(b"INSERT INTO duvo_runs")
        run_id = api.start("Invoice approver", "INV-1042")
        assert relay.lost == 1
        request = api.wait_for_request(run_id)

        relay.lose_commit_response(b"UPDATE duvo_requests")
        api.respond(run_id, request["id"], approved=False)
        assert relay.lost == 2
        api.wait_for_end(run_id)

        relay.lose_commit_response(b"INSERT INTO duvo_messages")
        api.say(run_id, "once more")
        assert relay.lost == 3
        request = api.wait_for_request(run_id)
        relay.lose_commit_response(b"UPDATE duvo_requests")
        assert api.stop(run_id) == {"success": True}
        assert relay.lost == 4

        assert api.get(f"/v2/teams/{api.team}/runs")["total"] == 1
        said = [m["text_content"] for m in api.conversation(run_id) if m["role"] == "user"]
        assert said.count("INV-1042") == said.count("once more") == 1
        assert api.status(run_id) == "interrupted"
        api.close()
    assert "secret" not in caplog.text


@pytest.mark.long
def test_a_locked_run_does_not_delay_other_runs(postgresql_url: str) -> None:
    gate = threading.Event()

    @agent("Late")
    async def late(run: RunContext) -> None:
        await run.tool("wait", {}, lambda: gate.wait(60))
        await run.say("late")

    with Server([late], database=postgresql_url, port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Late")
        wait_until(lambda: len(api.conversation(run_id)) == 2, 10, "the tool was not called")
        with psycopg.connect(postgresql_url) as connection:
            connection.execute("SELECT id FROM duvo_runs WHERE id = %s FOR UPDATE", [run_id])
            gate.set()
            for number in range(5):
                other = api.start("Talker", str(number))
                assert api.wait_for_end(other)["run"]["status"] == "completed"
            assert len(api.conversation(run_id)) == 2
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert api.texts(run_id) == ["late"]
        api.close()


@pytest.mark.long
def test_a_run_accepted_by_a_server_that_died_is_started_by_another(
    postgresql_url: str,
) -> None:
    with Server(database=postgresql_url, port=0) as server:
        api = EngineAPI.of(server)
        # As a server that dies after its response and before it starts the turn.
        database = Database(locate(postgresql_url))
        talker = next(agent for agent in server.agents if agent.name == "Talker")
        run_id = new_id()
        database.transact(
            lambda connection: start(
                connection,
                talker,
                run_id=run_id,
                message="hello",
                sandbox_id=None,
                webhook_url=None,
            )
        )
        database.close()
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert len(api.texts(run_id)) == 3
        api.close()


@pytest.mark.long
def test_a_process_with_an_open_server_exits_during_an_outage(
    postgresql: PostgreSQL, postgresql_url: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FORGOTTEN, postgresql_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    postgresql.stop()
    try:
        _, errors = process.communicate("\n", timeout=20)
    finally:
        process.kill()
        postgresql.start()
    assert process.returncode == 0
    assert all(line.startswith("the database does not") for line in errors.splitlines()), errors


@pytest.mark.long
def test_an_agent_that_ignores_its_cancellation_does_not_delay_close() -> None:
    server = Server([stubborn], port=0)
    server.start()
    api = EngineAPI.of(server)
    run_id = api.start("Stubborn")
    api.wait_for_text(run_id, "I stay")
    api.close()
    before = time.monotonic()
    server.close(timeout=60)
    # Otherwise it takes the whole minute.
    assert time.monotonic() - before < 30


def test_a_database_without_the_servers_table_opens(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "runs.sqlite"
    with Server(database=file, port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Talker")
        api.wait_for_end(run_id)
        api.close()
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE duvo_servers")
        assert connection.execute("SELECT version FROM duvo_meta").fetchall() == [(1,)]
    connection.close()
    with Server(database=file, port=0) as server:
        api = EngineAPI.of(server)
        assert len(api.texts(run_id)) == 2
        api.close()


@pytest.mark.long
def test_the_internal_recovery_function_of_dbos_takes_over_turns(postgresql_url: str) -> None:
    # If this fails, `recover` in duvo/local/_execution/workflows.py must change.
    signature = inspect.signature(DBOS._recover_pending_workflows)
    assert list(signature.parameters) == ["executor_ids"]
    with Server(database=postgresql_url, port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Invoice approver")
        request = api.wait_for_request(run_id)
        first = DBOS.executor_id
        api.close()
    with Server(database=postgresql_url, port=0) as server:
        assert DBOS.executor_id != first

        def taken_over() -> bool:
            [turn] = DBOS.list_workflows(workflow_ids=[f"{run_id}:1"])
            return (turn.status, turn.executor_id) == ("PENDING", DBOS.executor_id)

        wait_until(taken_over, 10, "the turn was not taken over")
        api = EngineAPI.of(server)
        api.respond(run_id, request["id"], approved=True)
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        api.close()
