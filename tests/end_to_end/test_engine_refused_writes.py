"""A database that refuses changes for a while, or is replaced: work resumes by itself, or ends."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from duvo.local import DatabaseReplaced, RunContext, Server, agent
from tests.servers.engine_api import EngineAPI, wait_until
from tests.servers.postgresql import PostgreSQL
from tests.servers.serve_process import ServeProcess
from tests.support.command import Command, wait_for

Start = Callable[..., ServeProcess]

OK, UNAVAILABLE = 200, 503

REFUSE = """
    CREATE TABLE refused (code text);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE refused_code text;
    BEGIN
        SELECT code INTO refused_code FROM public.refused;
        IF FOUND THEN RAISE EXCEPTION 'refused' USING ERRCODE = refused_code; END IF;
        RETURN NEW;
    END $$;
"""
WRITTEN = [
    *("duvo_meta", "duvo_runs", "duvo_messages", "duvo_servers"),
    *("dbos.workflow_status", "dbos.operation_outputs"),
]


@agent("Stepper")
async def stepper(run: RunContext) -> None:
    for step in range(1000):
        await run.tool("nothing", {}, lambda: None)
        await run.say(f"step {step}")
        await run.sleep(0.05)


def _health(base_url: str) -> int:
    return requests.get(f"{base_url}/health", timeout=10).status_code


def _next_step(api: EngineAPI, run_id: str) -> None:
    before = len(api.conversation(run_id))
    wait_until(lambda: len(api.conversation(run_id)) > before + 3, 20, "the run stands still")


@pytest.mark.long
def test_changes_that_postgresql_refuses_are_made_once_it_accepts_them(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Server([stepper], database=postgresql_url, port=0, monitoring=True) as server,
        psycopg.connect(postgresql_url, autocommit=True) as admin,
    ):
        api = EngineAPI.of(server)
        run_id = api.start("Stepper")
        _next_step(api, run_id)
        admin.execute(REFUSE)
        for table in WRITTEN:
            events = f"BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
            admin.execute(f"CREATE TRIGGER refuse {events} EXECUTE FUNCTION refuse()")
        for code in ("25006", "53100", "58030"):
            admin.execute("INSERT INTO refused VALUES (%s)", [code])
            wait_for(lambda: _health(server.base_url) == UNAVAILABLE)
            admin.execute("DELETE FROM refused")
            wait_for(lambda: _health(server.base_url) == OK)
            _next_step(api, run_id)
        assert api.status(run_id) == "running"
        api.stop(run_id)
        texts = api.texts(run_id)
        assert texts == [f"step {step}" for step in range(len(texts))]
        api.close()
    assert "the database refuses changes; waiting for it: refused" in caplog.text
    assert "the database answers again" in caplog.text
    assert "stuck" not in caplog.text


@pytest.mark.long
def test_connections_that_the_database_ends_are_replaced_without_a_word(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Server([stepper], database=postgresql_url, port=0, monitoring=True) as server,
        psycopg.connect(postgresql_url, autocommit=True) as admin,
    ):
        api = EngineAPI.of(server)
        run_id = api.start("Stepper")
        for _ in range(3):
            _next_step(api, run_id)
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        _next_step(api, run_id)
        api.stop(run_id)
        api.close()
    assert "the database" not in caplog.text


@contextlib.contextmanager
def _read_only_sessions(postgresql: PostgreSQL, url: str) -> Iterator[None]:
    # As after a failover: sessions to the old server read only, new ones reach the new server.
    name = url.rpartition("/")[2]
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")


@pytest.mark.long
def test_connections_to_a_server_that_became_read_only_are_renewed(
    postgresql: PostgreSQL, postgresql_url: str
) -> None:
    with Server([stepper], database=postgresql_url, port=0, monitoring=True) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Stepper")
        waiting = api.start("Invoice approver")
        request = api.wait_for_request(waiting)
        _next_step(api, run_id)
        with _read_only_sessions(postgresql, postgresql_url):
            _next_step(api, run_id)
            wait_for(lambda: _health(server.base_url) == OK)
            api.respond(waiting, request["id"], approved=True)
            assert api.wait_for_end(waiting)["run"]["status"] == "completed"
        api.stop(run_id)
        api.close()


@pytest.mark.long
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_full_disk_under_sqlite_is_waited_out(serve: Start, agents_to_serve: str) -> None:
    Path(agents_to_serve).write_text(
        """
from duvo.local import agent

@agent("Stepper")
async def stepper(run):
    for step in range(1000):
        await run.tool("nothing", {}, lambda: None)
        await run.say(f"step {step}")
        await run.sleep(0.05)
"""
    )
    served = serve()
    api = served.api()
    run_id = api.start("Stepper")
    _next_step(api, run_id)
    process = served.process.pid
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, hard))
    wait_for(lambda: served.health()[0] == UNAVAILABLE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
    wait_for(lambda: served.health()[0] == OK)
    _next_step(api, run_id)
    assert api.status(run_id) == "running"
    texts = api.texts(run_id)
    assert texts == [f"step {step}" for step in range(len(texts))]
    code, errors = served.end()
    assert code == 0
    assert "the database refuses changes; waiting for it: " in errors
    assert "stuck" not in errors


@pytest.mark.long
def test_dev_ends_when_its_database_is_removed(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    dev = ServeProcess(run_duvo_unconfigured.start("dev", "--port", "0", "--json"))
    try:
        api = dev.api(dev.printed["api_key"])
        body = {"agent_id": api.agent_id("Talker")}
        shutil.rmtree(tmp_path / "state")
        refused = api.send("POST", f"/v2/teams/{api.team}/runs", json=body)
        assert refused.status_code == UNAVAILABLE
        _, errors = dev.process.communicate(timeout=20)
    finally:
        dev.process.kill()
    assert dev.process.returncode == 1
    assert errors.count("dev.sqlite: the database was removed or replaced") == 1
    assert "Traceback" not in errors


@pytest.mark.long
def test_a_command_of_dev_is_ended_when_the_database_is_removed(
    run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    process = run_duvo_unconfigured.start(
        "dev", "--database", str(folder / "a.sqlite"), "--", "sleep", "600"
    )
    try:
        wait_for((folder / "a.sqlite.key").exists)
        shutil.rmtree(folder)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "removed or replaced" in errors


@pytest.mark.long
def test_serve_ends_when_its_database_is_replaced(serve: Start, tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite"
    served = serve("--database", str(file))
    api = served.api()
    body = {"agent_id": api.agent_id("Greeter"), "message": "you"}
    shutil.copy(file, tmp_path / "copy.sqlite")
    (tmp_path / "copy.sqlite").replace(file)
    refused = api.send("POST", f"/v2/teams/{api.team}/runs", json=body)
    assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
    assert "removed or replaced" in refused.json()["message"]
    assert refused.headers["retry-after"] == "1"
    _, errors = served.process.communicate(timeout=20)
    assert served.process.returncode == 1
    assert f"{file}: the database was removed or replaced" in errors
    assert "Traceback" not in errors


@pytest.mark.long
def test_a_server_whose_database_was_removed_ends_and_reports_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    server = Server(database=folder / "runs.sqlite", port=0)
    server.start()
    assert server.failure is None
    shutil.rmtree(folder)
    with pytest.raises(DatabaseReplaced, match="removed or replaced"):
        server.wait()
    assert isinstance(server.failure, DatabaseReplaced)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.base_url}/v2/teams", timeout=5)


@pytest.mark.long
def test_a_postgresql_database_that_is_removed_or_replaced_accepts_nothing_until_it_is_back(
    serve: Start, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    name = postgresql_url.rpartition("/")[2]
    served = serve("--database", postgresql_url)
    api = served.api()
    waiting = api.start("Asker")
    request = api.wait_for_request(waiting)
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as admin:

        def execute(statement: str) -> None:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            admin.execute(statement)

        execute(f"ALTER DATABASE {name} RENAME TO {name}_kept")
        wait_for(lambda: served.health()[0] == UNAVAILABLE)
        admin.execute(f"CREATE DATABASE {name}")
        body = {"agent_id": api.agent_id("Greeter"), "message": "you"}
        for _ in range(2):
            with pytest.raises(requests.Timeout):
                api.send("POST", f"/v2/teams/{api.team}/runs", json=body, timeout=1)
            assert served.health()[0] == UNAVAILABLE
        execute(f"DROP DATABASE {name} WITH (FORCE)")
        execute(f"ALTER DATABASE {name}_kept RENAME TO {name}")
    wait_for(lambda: served.health()[0] == OK)
    api.respond(waiting, request["id"], approved=True)
    assert api.wait_for_end(waiting)["run"]["status"] == "completed"
    assert served.end(signal.SIGTERM)[0] == 0


@pytest.mark.long
def test_tables_of_another_database_restored_in_place_are_noticed(
    serve: Start, postgresql_url: str
) -> None:
    served = serve("--database", postgresql_url)
    wait_for(lambda: served.health()[0] == OK)
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        [(kept,)] = admin.execute("SELECT id FROM duvo_meta").fetchall()
        admin.execute("UPDATE duvo_meta SET id = 'another'")
        wait_for(lambda: served.health()[0] == UNAVAILABLE)
        admin.execute("UPDATE duvo_meta SET id = %s", [kept])
    wait_for(lambda: served.health()[0] == OK)
    assert "removed or replaced" in served.end()[1]
