"""Starting and stopping an engine inside a process, and the files beside its database."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
import warnings
from pathlib import Path

import pytest
import sqlalchemy

from duvo.local import (
    DatabaseDamaged,
    DatabaseLocked,
    EngineError,
    MissingExtra,
    PortInUse,
    RunContext,
    Server,
    agent,
    default_database,
)
from duvo.local._database.database import Database
from duvo.local._execution.engine import Engine
from tests.servers.engine_api import EngineAPI, wait_until


@agent("Waiter")
async def waiter(run: RunContext) -> None:
    await run.approval("Go on?")
    await run.say("continued")


@agent("Busy")
async def busy(run: RunContext) -> None:
    def hang() -> None:
        time.sleep(30)

    await run.tool("hang", {}, hang)


@agent("Tidy")
async def tidy(run: RunContext) -> None:
    try:
        await run.approval("Go on?")
    finally:
        await run.say("cleaned up")
    await run.say("continued")


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_a_started_and_stopped_engine_leaves_the_process_unchanged() -> None:
    with Server(port=0):
        pass  # imports change some of it, once
    names = ["", "dbos", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "sqlalchemy"]

    def state() -> object:
        loggers = [logging.getLogger(name) for name in names]
        return (
            [(log.level, log.propagate, *log.handlers, *log.filters) for log in loggers],
            list(warnings.filters),
            [signal.getsignal(number) for number in signal.valid_signals()],
            dict(os.environ),
            threading.excepthook,
            sys.excepthook,
            list(sys.path),
        )

    before = state()
    with Server([waiter], port=0) as server:
        api = EngineAPI.of(server)
        api.wait_for_request(api.start("Waiter"))
        api.close()
        assert state()[1:] == before[1:]  # type: ignore[index]
    assert state() == before


def test_a_temporary_engine_leaves_no_files_and_no_threads() -> None:
    threads = threading.active_count()
    with Server(port=0) as server:
        folder = Path(server.database).parent
        assert folder.is_dir()
    assert not folder.exists()
    wait_until(lambda: threading.active_count() <= threads, 30, "threads are still running")


def test_importing_the_public_names_loads_none_of_the_engines_packages() -> None:
    program = (
        "import sys, duvo.local; from duvo.local import agent, load_agents, Server;"
        "print([name for name in ('dbos', 'sqlalchemy', 'starlette', 'uvicorn', 'requests')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_agent_files_load_without_the_engines_packages(tmp_path: Path) -> None:
    file = tmp_path / "agents.py"
    file.write_text("from duvo.local import agent\n@agent('One')\nasync def one(run): pass\n")
    program = (
        "import sys\n"
        "for name in ('dbos', 'sqlalchemy', 'starlette', 'uvicorn'): sys.modules[name] = None\n"
        "import duvo.local\n"
        "for name in duvo.local.__all__: getattr(duvo.local, name)\n"
        "print(duvo.local.load_agents(sys.argv[1])[0].name, duvo.local.default_database().name)\n"
        "try: duvo.local.Server()\n"
        "except duvo.local.MissingExtra: print('missing')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("One dev.sqlite\nmissing\n", "")


@pytest.mark.parametrize("package", ["dbos", "starlette", "uvicorn"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r'pip install "duvo\[local\]"') as caught:
        Server()
    assert "\n" not in str(caught.value)


def test_a_server_works_inside_a_running_event_loop() -> None:
    async def cell() -> float:
        with Server([waiter], port=0) as server:
            api = EngineAPI.of(server)
            runs = [api.start("Waiter") for _ in range(5)]
            delays = []
            for run_id in runs:
                request = api.wait_for_request(run_id)
                before = time.monotonic()
                api.respond(run_id, request["id"], approved=True)
                api.get(f"/v2/runs/{run_id}?wait=25")
                delays.append(time.monotonic() - before)
            api.close()
        return sorted(delays)[2]

    assert asyncio.run(cell()) < 15  # where a held request takes 25


def test_responses_are_sent_without_delay() -> None:
    with Server(port=0) as server:
        api = EngineAPI.of(server)
        for _ in range(40):
            api.get("/v2/teams")
        quick, others = 0, 0
        while quick < 5:
            before = time.monotonic()
            api.get("/v2/teams")
            if time.monotonic() - before < 0.02:
                quick += 1
            else:
                others += 1
            # Without TCP_NODELAY nearly each takes 40 ms, once the connection is no longer new.
            assert others < 500
        api.close()


def test_the_database_its_key_and_side_files_are_private(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    before = os.umask(0)
    try:
        with Server([waiter], database=database, port=0) as server:
            api = EngineAPI.of(server)
            api.wait_for_request(api.start("Waiter"))
            api.close()
            assert server.key_file == tmp_path / "runs.sqlite.key"
            found = {path.name: mode(path) for path in tmp_path.iterdir() if path.is_file()}
    finally:
        os.umask(before)
    assert {f"runs.sqlite{end}" for end in ("", "-wal", "-shm", ".lock", ".key")} <= set(found)
    assert set(found.values()) == {"0o600"}


def test_files_readable_by_others_are_made_private(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    with Server(database=database, port=0):
        pass
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    with Server(database=database, port=0):
        found = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert set(found.values()) == {"0o600"}, found


def test_the_database_of_another_program_keeps_its_mode(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE bills (id INTEGER)")
    connection.close()
    other.chmod(0o644)
    with pytest.raises(DatabaseDamaged):
        Server(database=other, port=0).start()
    assert mode(other) == "0o644"


@pytest.mark.long
def test_runs_keys_and_ids_are_the_same_after_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with Server([waiter], database=str(database), port=0) as server:
        first = (server.api_key, server.team_id, [agent.id for agent in server.agents])
        api = EngineAPI.of(server)
        body = {"agent_id": api.agent_id("Waiter")}
        started = api.post(f"/v2/teams/{api.team}/runs", body, status=201, headers=key)
        run_id = started["run"]["id"]
        request_id = api.wait_for_request(run_id)["id"]
        api.close()
    with Server([waiter], database=f"sqlite:///{database}", port=0) as server:
        assert (server.api_key, server.team_id, [a.id for a in server.agents]) == first
        api = EngineAPI.of(server)
        again = api.post(f"/v2/teams/{api.team}/runs", body, status=201, headers=key)
        assert again == started
        api.respond(run_id, request_id, approved=True)
        api.wait_for_end(run_id)
        assert api.texts(run_id) == ["continued"]
        api.close()


@pytest.mark.long
def test_close_with_a_hundred_waiting_runs_is_quick_and_leaves_them_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "runs.sqlite"
    server = Server([waiter, busy], database=database, port=0)
    server.start()
    api = EngineAPI.of(server)
    hanging = api.start("Busy")
    runs = [api.start("Waiter") for _ in range(100)]
    for run_id in runs:
        api.wait_for_request(run_id)
    assert api.status(hanging) == "running"
    api.close()
    before = time.monotonic()
    server.close(timeout=60)
    assert time.monotonic() - before < 30
    with Server([waiter, busy], database=database, port=0) as server:
        api = EngineAPI.of(server)
        assert api.get(f"/v2/teams/{api.team}/runs?status=waiting")["total"] == 100
        assert api.status(hanging) == "running"
        for run_id in runs[::20]:
            api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
        for run_id in runs[::20]:
            api.wait_for_end(run_id)
        api.close()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_calls_of_a_cancelled_agent_are_not_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "runs.sqlite"
    with Server([tidy], database=database, port=0) as server:
        api = EngineAPI.of(server)
        closed, stopped = api.start("Tidy"), api.start("Tidy")
        request = api.wait_for_request(closed)
        api.wait_for_request(stopped)
        api.stop(stopped)
        api.close()
    with Server([tidy], database=database, port=0) as server:
        api = EngineAPI.of(server)
        assert api.texts(stopped) == api.texts(closed) == []
        api.respond(closed, request["id"], approved=True)
        api.wait_for_end(closed)
        assert api.texts(closed) == ["cleaned up", "continued"]
        api.close()
    assert caplog.records == []


@pytest.mark.long
def test_a_turn_that_meets_a_database_error_continues_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise sqlalchemy.exc.OperationalError("UPDATE", {}, Exception("disk I/O error"))

    database = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch, Server(database=database, port=0) as server:
        patch.setattr("duvo.local._store.turns.complete", fail)
        api = EngineAPI.of(server)
        run_id = api.start("Talker")
        wait_until(lambda: bool(caplog.records), 30, "nothing was logged")
        assert f"run {run_id} is stuck until the next start" in caplog.text
        api.close()
    with Server(database=database, port=0) as server:
        api = EngineAPI.of(server)
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert len(api.texts(run_id)) == 2
        api.close()


def test_a_run_can_be_resumed_after_the_records_of_its_turn_were_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duvo.local._execution.engine._CLEANUP_INTERVAL", 0.05)
    database = tmp_path / "runs.sqlite"
    with Server([waiter], database=database, port=0) as server:
        api = EngineAPI.of(server)
        done, waiting = api.start("Talker", "hi"), api.start("Waiter")
        api.wait_for_end(done)
        request = api.wait_for_request(waiting)

        def kept() -> list[str]:
            connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            rows = connection.execute("SELECT workflow_uuid FROM workflow_status").fetchall()
            connection.close()
            return [row[0] for row in rows]

        wait_until(
            lambda: kept() == [f"{waiting}:1"], 30, "the records of the ended turn were not deleted"
        )
        api.say(done, "again")
        api.wait_for_end(done)
        assert "You said: again" in api.texts(done)
        api.respond(waiting, request["id"], approved=True)
        api.wait_for_end(waiting)
        api.close()


def test_start_and_close_are_safe_from_several_threads() -> None:
    server = Server(port=0)
    outcomes: list[str] = []

    def start() -> None:
        try:
            server.start()
            outcomes.append("started")
        except EngineError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("started") == 1
    assert outcomes.count("the engine has been started already; make another Server") == 3
    closers = [threading.Thread(target=server.close) for _ in range(4)]
    for thread in closers:
        thread.start()
    for thread in closers:
        thread.join()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port)).close()


def test_a_second_engine_in_a_process_is_refused() -> None:
    with Server(port=0) as server:
        with pytest.raises(EngineError, match="another engine runs in this process"):
            Server(port=0).start()
        api = EngineAPI.of(server)
        assert api.get("/v2/teams")
        api.close()


def test_a_port_in_use_is_refused_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} is in use .* port="):
            Server(port=port).start()
    with Server(port=port) as server:
        assert server.port == port
    with Server(port=port) as server:
        assert server.base_url == f"http://127.0.0.1:{port}"
    with pytest.raises(EngineError, match="70000 is not a port"):
        Server(port=70000).start()


def test_the_next_port_is_used_if_the_default_port_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        default = taken.getsockname()[1]
        monkeypatch.setattr("duvo.local._api.ports.DEFAULT_PORT", default)
        with Server() as server:
            assert default < server.port < default + 100


def test_a_file_that_is_not_the_engines_database_is_refused(
    tmp_path: Path,
) -> None:
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"certainly no database" * 100)
    with pytest.raises(DatabaseDamaged, match=r"junk\.sqlite: not a usable database"):
        Server(database=junk, port=0).start()
    assert junk.read_bytes().startswith(b"certainly")
    with pytest.raises(DatabaseDamaged, match="there is no folder"):
        Server(database=tmp_path / "missing" / "runs.sqlite", port=0).start()
    with pytest.raises(DatabaseDamaged, match="not a file"):
        Server(database=tmp_path, port=0).start()
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE bills (id INTEGER)")
    connection.close()
    with pytest.raises(DatabaseDamaged, match="of another program"):
        Server(database=other, port=0).start()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    with Server(database=database, port=0):
        pass
    connection = sqlite3.connect(database)
    connection.execute("UPDATE duvo_meta SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseDamaged, match="of version 99, this duvo knows 1"):
        Server(database=database, port=0).start()


def test_a_locked_database_is_refused_in_one_line(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    with Server(database=database, port=0), pytest.raises(DatabaseLocked) as caught:
        Server(database=database, port=0).start()
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_refused_second_start_does_not_release_the_lock(
    tmp_path: Path,
) -> None:
    database = tmp_path / "runs.sqlite"
    program = (
        "import sys\n"
        "from duvo.local import DatabaseLocked, Server\n"
        "try: Server(database=sys.argv[1], port=0).start()\n"
        "except DatabaseLocked: print('refused')\n"
    )
    command = [sys.executable, "-c", program, str(database)]
    with Server(database=database, port=0):
        with pytest.raises(DatabaseLocked):
            Server(database=database, port=0).start()
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert (done.stdout, done.stderr) == ("refused\n", "")


def test_a_refused_second_start_does_not_keep_the_lock(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    with Server(database=database, port=0), pytest.raises(DatabaseLocked):
        Server(database=database, port=0).start()
    with Server(database=database, port=0) as server:
        assert server.port


def test_a_failed_start_has_released_the_database_when_it_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Database.close

    def close_slowly(database: Database) -> None:
        time.sleep(0.2)
        close(database)

    def fail(engine: Engine) -> None:
        raise EngineError("not today")

    database = tmp_path / "runs.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(Database, "close", close_slowly)
        patch.setattr(Engine, "launch", fail)
        with pytest.raises(EngineError, match="not today"):
            Server(database=database, port=0).start()
    with Server(database=database, port=0) as server:
        assert server.port


def test_a_sqlite_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(EngineError, match=r"needs SQLite 3\.35 or newer"):
        Server(port=0).start()


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "http://localhost", "://"]
)
def test_an_unsupported_database_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(EngineError) as caught:
        Server(database=url, port=0).start()
    assert "\n" not in str(caught.value)


def test_duplicate_names_other_objects_and_a_rate_limit_of_0_are_refused() -> None:
    @agent("Waiter")
    async def other(run: RunContext) -> None: ...

    with pytest.raises(EngineError, match="two agents are named 'Waiter'"):
        Server([waiter, other])
    with pytest.raises(EngineError, match="is not an agent"):
        Server([print])  # type: ignore[list-item]
    with pytest.raises(EngineError, match="rate limit"):
        Server(rate_limit=0)


def test_examples_can_be_omitted_and_replaced() -> None:
    @agent("Talker")
    async def mine(run: RunContext) -> None: ...

    assert Server([mine], examples=False).agents == (mine,)
    with_examples = Server([mine]).agents
    assert [agent.name for agent in with_examples].count("Talker") == 1
    assert with_examples[0] is mine


def test_the_default_database_is_in_the_state_folder(tmp_path: Path) -> None:
    assert default_database() == tmp_path / "state" / "dev.sqlite"
    with Server(database=default_database(), port=0) as server:
        assert server.database == str(tmp_path / "state" / "dev.sqlite")
    assert mode(tmp_path / "state") == "0o700"


@pytest.mark.long
def test_a_process_with_an_open_engine_exits_cleanly(tmp_path: Path) -> None:
    program = (
        "from duvo.local import Server\n"
        "server = Server(port=0)\n"
        "server.start()\n"
        "print(server.database)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(done.stdout.strip()).exists()


def test_a_rate_limit_is_enforced_and_announced() -> None:
    with Server(port=0, rate_limit=3) as server:
        api = EngineAPI.of(server)
        responses = [api.send("GET", "/v2/teams") for _ in range(4)]
        api.close()
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    headers = [response.headers for response in responses]
    assert [names["x-ratelimit-remaining"] for names in headers] == ["2", "1", "0", "0"]
    assert {names["x-ratelimit-limit"] for names in headers} == {"3"}
    assert 0 < int(headers[3]["x-ratelimit-reset"]) - time.time() <= 61
    assert 1 <= int(headers[3]["retry-after"]) <= 60
    assert "retry-after" not in headers[2]
    assert responses[3].json()["error"] == "rate_limited"


@agent("Sleeper")
async def sleeper(run: RunContext) -> None:
    await run.sleep(600)
    await run.say("awake")


def test_a_sleep_ends_when_the_clock_has_passed_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    real, hours = time.time, 0

    def is_awake() -> bool:
        # As after an hour in which the machine slept; again if the run was not asleep yet.
        nonlocal hours
        hours += 1
        return api.texts(run_id) == ["awake"]

    with Server([sleeper], port=0) as server, monkeypatch.context() as patch:
        api = EngineAPI.of(server)
        run_id = api.start("Sleeper")
        patch.setattr(time, "time", lambda: real() + hours * 3600)
        wait_until(is_awake, 20, "the run slept on")
        api.close()
