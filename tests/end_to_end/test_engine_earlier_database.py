"""A database written by an earlier version still opens, and its runs continue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo.local import RunContext, Server, agent
from tests.servers.engine_api import EngineAPI

DUMP = Path(__file__).with_name("engine_database.sql")

TABLES = [
    *("duvo_meta", "duvo_runs", "duvo_messages", "duvo_requests", "duvo_idempotency"),
    "duvo_servers",
]
STEPS = ["now", "random", "uuid", "inbox", "sleep", "tool price"]

called: list[str] = []


def price(item: str) -> int:
    called.append(item)
    return 99


@agent("Buyer")
async def buyer(run: RunContext) -> None:
    found = [str(await run.now()), await run.random(), str(await run.uuid()), await run.inbox()]
    await run.sleep(0.01)
    await run.think(repr(found))
    cost = await run.tool("price", {"item": "pen"}, price)
    if await run.approval("Buy it?", "12 EUR"):
        await run.say(f"bought for {cost}")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A copy of the earlier database."""
    file = tmp_path / "runs.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(DUMP.read_text())
    connection.close()
    return file


@pytest.fixture
def api(database: Path) -> Iterator[EngineAPI]:
    """An engine on the earlier database."""
    called.clear()
    with Server([buyer], database=database, port=0, examples=False) as server:
        api = EngineAPI.of(server)
        yield api
        api.close()


def run_titled(api: EngineAPI, title: str) -> str:
    runs = api.get(f"/v2/teams/{api.team}/runs")["data"]
    return str({run["title"]: run["id"] for run in runs}[title])


@pytest.mark.long
def test_a_waiting_run_of_an_earlier_database_resumes_from_its_recorded_steps(
    api: EngineAPI,
) -> None:
    run_id = run_titled(api, "waiting")
    request = api.wait_for_request(run_id)
    api.respond(run_id, request["id"], approved=True)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id) == ["bought for 12"]
    assert called == []


@pytest.mark.long
def test_an_answer_recorded_in_an_earlier_database_reaches_its_run(api: EngineAPI) -> None:
    run_id = run_titled(api, "answered")
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    assert api.texts(run_id) == ["bought for 12"]
    assert called == []


def test_an_ended_run_of_an_earlier_database_can_be_read_and_resumed(api: EngineAPI) -> None:
    run_id = run_titled(api, "declined")
    assert len(api.conversation(run_id)) == 8
    api.say(run_id, "again")
    request = api.wait_for_request(run_id)
    api.respond(run_id, request["id"], approved=True)
    api.wait_for_end(run_id)
    assert api.texts(run_id) == ["bought for 99"]


def test_an_idempotency_key_of_an_earlier_database_is_remembered(api: EngineAPI) -> None:
    body = {"agent_id": api.agent_id("Buyer"), "message": "waiting"}
    headers = {"Idempotency-Key": "waiting"}
    started = api.post(f"/v2/teams/{api.team}/runs", body, status=201, headers=headers)
    assert started["run"]["id"] == run_titled(api, "waiting")
    assert api.get(f"/v2/teams/{api.team}/runs")["total"] == 3


def test_tables_columns_workflows_and_steps_keep_their_names(
    database: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.sqlite"
    with Server([buyer], database=new, port=0, examples=False) as server:
        api = EngineAPI.of(server)
        api.wait_for_request(api.start("Buyer", "waiting"))
        assert api.team == "3b3679b7-37d7-5dbb-84bb-df6da56f6eb3"
        api.close()
    for file in (database, new):
        connection = sqlite3.connect(file)
        assert connection.execute(
            "SELECT DISTINCT name, application_version, executor_id, application_name"
            " FROM workflow_status"
        ).fetchall() == [("duvo_turn", "duvo-1", "local", "duvo-local")]
        steps = connection.execute(
            "SELECT function_name FROM operation_outputs JOIN duvo_runs"
            " ON workflow_uuid = id || ':1' WHERE title = 'waiting' ORDER BY function_id"
        )
        assert [row[0] for row in steps] == STEPS
        connection.close()
    with Server([buyer], database=database, port=0, examples=False):
        pass  # adds the columns that are new
    assert columns(database) == columns(new)


def columns(file: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(file)
    found = {
        table: connection.execute(f"PRAGMA table_info({table})").fetchall() for table in TABLES
    }
    connection.close()
    assert all(found.values())
    return found
