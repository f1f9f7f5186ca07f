"""Waiting runs cost next to nothing: no threads and no polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from duvo.local import RunContext, Server, agent
from tests.servers.engine_api import EngineAPI, wait_until

pytestmark = pytest.mark.long

WAITING = 200


@agent("Waiter")
async def waiter(run: RunContext) -> None:
    await run.approval("Go on?")
    await run.say("continued")


@pytest.fixture(scope="module")
def api() -> Iterator[EngineAPI]:
    """An engine in which 200 runs wait for a human."""
    with Server([waiter], port=0, examples=False) as server:
        api = EngineAPI.of(server)
        for _ in range(WAITING):
            api.start("Waiter")
        wait_until(lambda: api.count("waiting") == WAITING, 30, "not all runs wait")
        yield api
        api.close()


def test_waiting_runs_take_no_threads(api: EngineAPI) -> None:
    assert threading.active_count() <= 25


def test_waiting_runs_do_not_poll_the_database(api: EngineAPI) -> None:
    run_id = api.get(f"/v2/teams/{api.team}/runs?limit=1")["data"][0]["id"]
    total = api.get(f"/v2/runs/{run_id}/messages")["total"]
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        api.get(f"/v2/runs/{run_id}/messages?offset={total}&wait=2")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    assert 2 <= len(statements) < WAITING // 4, statements


def test_a_reply_wakes_its_run_at_once(api: EngineAPI) -> None:
    delays = []
    for run in api.get(f"/v2/teams/{api.team}/runs?limit=20&status=waiting")["data"]:
        request = api.run(run["id"])["pending_human_request"]
        before = time.monotonic()
        api.respond(run["id"], request["id"], approved=True)
        assert api.get(f"/v2/runs/{run['id']}?wait=25")["run"]["status"] == "completed"
        delays.append(time.monotonic() - before)
    # On a busy machine, the others show its speed.
    assert min(delays) < 0.1
