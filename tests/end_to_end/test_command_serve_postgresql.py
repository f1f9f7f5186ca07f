"""`duvo serve` on PostgreSQL: several processes on one database, and outages."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import requests

from tests.servers.postgresql import PostgreSQL
from tests.servers.serve_process import ServeProcess
from tests.support.command import wait_for

pytestmark = pytest.mark.long

Start = Callable[..., ServeProcess]

UNAVAILABLE = (503, {"status": "unavailable", "reason": "the database does not answer"})
OK = (200, {"status": "ok"})


def test_several_processes_can_start_on_an_empty_database_at_once(
    serve: Start, postgresql_url: str
) -> None:
    servers = [serve("--database", postgresql_url) for _ in range(3)]
    for server in servers:
        assert "secret" not in server.printed["database"]
        assert server.printed["agents"] == servers[0].printed["agents"]
    wait_for(lambda: all(server.health() == OK for server in servers))
    run_id = servers[0].api().start("Greeter", "all")
    servers[0].api().wait_for_end(run_id)
    for server in servers:
        assert server.api().texts(run_id) == ["Hello, all"]
        assert server.metrics()["duvo_runs", "completed"] == 1
    for server in servers:
        assert server.end()[0] == 0


def test_health_and_metrics_report_a_database_that_does_not_answer(
    serve: Start, postgresql_url: str
) -> None:
    served = serve("--database", postgresql_url)
    wait_for(lambda: served.health() == OK)
    wait_for(lambda: served.metrics()["duvo_database_up",] == 1)
    with psycopg.connect(postgresql_url) as holding:
        holding.execute("LOCK TABLE duvo_meta IN ACCESS EXCLUSIVE MODE")
        assert served.health() == UNAVAILABLE
        assert "the database does not answer" in served.next_error_line()
        assert served.health() == UNAVAILABLE
        metrics = served.metrics()
        assert metrics["duvo_database_up",] == 0
        assert ("duvo_runs", "completed") not in metrics
    wait_for(lambda: served.health() == OK)
    assert "answers again" in served.next_error_line()
    assert served.metrics()["duvo_runs", "completed"] == 0


def test_serve_survives_a_restart_of_the_database(serve: Start, postgresql: PostgreSQL) -> None:
    served = serve("--database", postgresql.database())
    api = served.api()
    run_id = api.start("Asker")
    request = api.wait_for_request(run_id)
    postgresql.stop()
    try:
        assert served.health() == UNAVAILABLE
    finally:
        postgresql.start()
    wait_for(lambda: served.health() == OK)
    api.respond(run_id, request["id"], approved=True)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"


def test_serve_ends_while_the_database_is_down(serve: Start, postgresql: PostgreSQL) -> None:
    served = serve("--database", postgresql.database())
    served.api().start("Asker")
    postgresql.stop()
    try:
        wait_for(lambda: served.health() == UNAVAILABLE)
        with requests.get(f"{served.base_url}/metrics", timeout=5) as answer:
            assert "duvo_database_up 0.0" in answer.text
        code, errors = served.end()
    finally:
        postgresql.start()
    assert code == 0
    assert "Traceback" not in errors


def test_serve_ends_while_a_request_waits_for_the_database(
    serve: Start, postgresql_url: str
) -> None:
    served = serve("--database", postgresql_url)
    run_id = served.api().start("Asker")
    served.api().wait_for_request(run_id)
    with psycopg.connect(postgresql_url) as holding, ThreadPoolExecutor() as pool:
        holding.execute("LOCK TABLE duvo_runs IN ACCESS EXCLUSIVE MODE")
        asking = pool.submit(served.api().send, "GET", f"/v2/runs/{run_id}")
        wait_for(lambda: waiting_for_locks(postgresql_url))
        began = time.monotonic()
        code, errors = served.end()
        assert time.monotonic() - began < 15  # five, and more on a busy machine
        # The request was refused or cut off rather than left hanging.
        assert asking.exception(timeout=30) or asking.result().status_code >= 500
    assert (code, "Traceback" in errors) == (0, False)


def waiting_for_locks(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        assert found is not None
        return int(found[0])
