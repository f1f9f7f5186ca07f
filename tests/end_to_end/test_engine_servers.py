"""Several servers share the runs of one database, and take over those of a dead one."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from duvo.local import RunContext, Server, agent
from duvo.local._cluster import membership
from duvo.local._database.location import locate
from duvo.local._execution.engine import Engine
from tests.servers.cluster import Cluster
from tests.servers.engine_api import EngineAPI, wait_until
from tests.servers.postgresql import PostgreSQL, Relay

STEP = ["tool_call", "tool_result", "text"]
WORKED = ["text", "session_started", "text", *STEP * 4, "text"]
ASKED = ["session_started", "tool_call", "tool_result", "tool_call", "tool_result"]

KEEPER = "SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'"
BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
CHECKED = """
    SELECT min(seen) > max(backend_start) + interval '1.5 s'
    FROM duvo_servers, pg_stat_activity WHERE application_name LIKE 'duvo %'
"""


@pytest.fixture
def cluster(tmp_path: Path, postgresql_url: str) -> Iterator[Cluster]:
    """Servers on one database, none started yet."""
    cluster = Cluster(tmp_path, postgresql_url)
    yield cluster
    cluster.close()


def test_any_server_handles_any_request(cluster: Cluster) -> None:
    one, two = (server.api for server in cluster.start(2))
    assert one.session.headers == two.session.headers
    asked = one.start("Asker", "please")
    request = two.wait_for_request(asked)
    two.respond(asked, request["id"], approved=True)
    assert two.wait_for_end(asked)["run"]["status"] == "completed"
    assert one.texts(asked) == two.texts(asked) == ["went True"]

    held = one.start("Holder")
    wait_until(lambda: "held" in cluster.side_file.read_text(), 30, "the tool was not called")
    two.say(held, "a word")
    two.stop(held)
    wait_until(
        lambda: "cancelled" in cluster.side_file.read_text(), 30, "the tool was not cancelled"
    )
    assert one.status(held) == "interrupted"
    # More than one if a busy machine kept a server from its lease.
    calls = cluster.side_file.read_text().count("held")
    two.say(held, "again")
    wait_until(
        lambda: cluster.side_file.read_text().count("held") > calls, 30, "the run was not resumed"
    )
    one.stop(held)
    types = [message["type"] for message in two.conversation(held)]
    assert types.count("session_interrupted") == 2


@pytest.mark.long
def test_a_change_on_one_server_wakes_a_long_poll_on_another(cluster: Cluster) -> None:
    one, two = (server.api for server in cluster.start(2))
    delays = []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            run_id = one.start("Asker")
            request = one.wait_for_request(run_id)
            total = one.get(f"/v2/runs/{run_id}/messages")["total"]
            path = f"/v2/runs/{run_id}/messages?offset={total}&wait=20"
            polled = pool.submit(lambda path=path: (two.get(path), time.monotonic()))
            # By then the request is held.
            time.sleep(0.2)
            before = time.monotonic()
            one.respond(run_id, request["id"], approved=False)
            page, after = polled.result()
            assert page["messages"]
            delays.append(after - before)
    # Not a matter of speed: only a broadcast can wake it before its time is up.
    assert max(delays) < 10


@pytest.mark.seeds
@pytest.mark.long
def test_all_runs_of_a_killed_server_complete_on_another(cluster: Cluster, full: bool) -> None:
    count = 200 if full else 30
    one, two = cluster.start(2)
    with ThreadPoolExecutor(4) as pool:
        waiting = list(pool.map(lambda n: one.api.start("Asker", f"ask {n}"), range(count)))
        wait_until(lambda: two.api.count("waiting") == count, 30, "not all runs wait")
        working = list(pool.map(lambda n: one.api.start("Gated", f"job {n}"), range(count)))
        every = pool.map(lambda run_id: two.api.wait_for_text(run_id, "step 0"), working)
        assert len(list(every)) == count
    one.kill()
    cluster.open_the_gate()
    before = time.monotonic()
    requests = {run["id"]: two.api.run(run["id"]) for run in _list(two.api, "waiting")}
    for run_id, got in requests.items():
        two.api.respond(run_id, got["pending_human_request"]["id"], approved=True)
    # Rarely: counting takes the server's time.
    wait_until(
        lambda: two.api.count("completed") == 2 * count, 40, "not all runs ended", every=0.25
    )
    print("killed; all ended after", time.monotonic() - before)
    for number, run_id in enumerate(working):
        assert two.api.texts(run_id) == [
            f"got job {number}",
            *(f"step {n}" for n in range(4)),
            "end",
        ]
        gate = ["tool_call", "tool_result"]
        _check(two.api, run_id, [*WORKED[:3], *STEP, *gate, *STEP * 3, "text", "session_completed"])
    for number, run_id in enumerate(waiting):
        _check_asker(two.api, run_id, number)
    assert cluster.steps_run_again() == []


@pytest.mark.long
def test_a_killed_server_is_marked_dead_before_its_heartbeat_expires(cluster: Cluster) -> None:
    one, two = cluster.start(2)
    run_id = one.api.start("Asker", "please")
    request = one.api.wait_for_request(run_id)
    with psycopg.connect(cluster.url, autocommit=True) as connection:

        def seen() -> dict[str, float]:
            rows = connection.execute("SELECT id, extract(epoch FROM seen) FROM duvo_servers")
            return {server_id: float(moment) for server_id, moment in rows}

        def checked() -> bool:
            return connection.execute(CHECKED).fetchone() == (True,)

        # Only a server that was seen connected can be lost.
        wait_until(checked, 10, "the servers did not check each other")
        one.kill()
        before = seen()
        # Only marking a server dead sets its last heartbeat back.
        wait_until(
            lambda: any(moment < before[server_id] for server_id, moment in seen().items()),
            10,
            "the server was not marked dead",
        )
    two.api.respond(run_id, request["id"], approved=True)
    assert two.api.wait_for_end(run_id)["run"]["status"] == "completed"


@pytest.mark.long
def test_a_postponed_tool_is_called_once_the_server_has_its_lease(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    calls = []

    @agent("Caller")
    async def caller(run: RunContext) -> None:
        await run.say(str(await run.tool("count", {}, lambda: calls.append(1))))

    monkeypatch.setattr(Engine, "may_start_tool", lambda _: next(answers))
    with Server([caller], database=postgresql_url, port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Caller")
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert api.texts(run_id) == ["None"]
        api.close()
    assert calls == [1]
    assert list(answers) == []


@pytest.mark.long
def test_a_server_with_a_recent_heartbeat_is_not_marked_dead(postgresql_url: str) -> None:
    with Server(database=postgresql_url, port=0):
        engine = sa.create_engine(locate(postgresql_url).url, poolclass=sa.NullPool)
    silent, alive = str(uuid.uuid4()), str(uuid.uuid4())
    with engine.begin() as connection:
        for server_id in (silent, alive):
            membership.join(connection, server_id)
        connection.execute(
            sa.text("UPDATE duvo_servers SET seen = now() - interval '1 s' WHERE id = :silent"),
            {"silent": silent},
        )
        assert membership.beat(connection, alive)
        half_a_second = timedelta(seconds=0.5)
        for expected in ([silent], []):
            found = membership.mark_dead(connection, [silent, alive], half_a_second)
            assert found == expected
        assert not membership.beat(connection, silent)
        assert membership.beat(connection, alive)
        assert membership.connected(connection) == {alive: True}
        assert membership.dead(connection)[silent]


@pytest.mark.long
def test_a_server_that_reconnects_keeps_its_runs(cluster: Cluster) -> None:
    one, two = cluster.start(2)
    run_id = one.api.start("Holder")
    wait_until(lambda: "held" in cluster.side_file.read_text(), 30, "the tool was not called")
    with psycopg.connect(cluster.url, autocommit=True) as connection:

        def one_of(query: str, *values: object) -> object:
            row = connection.execute(query, values or None).fetchone()
            return row and row[0]

        name = f"duvo {one_of(KEEPER)}"
        for _ in range(3):
            backend = one_of(BACKEND, name)
            wait_until(lambda: one_of(CHECKED) is True, 10, "no server checked")
            assert one_of("SELECT pg_terminate_backend(%s)", backend) is True
            wait_until(
                lambda before=backend: one_of(BACKEND, name) not in (None, before),
                10,
                "the server did not reconnect",
            )
        assert f"duvo {one_of(KEEPER)}" == name
    two.api.stop(run_id)
    wait_until(
        lambda: "cancelled" in cluster.side_file.read_text(), 30, "the tool was not cancelled"
    )
    assert cluster.side_file.read_text().count("held") == 1
    assert one.stderr == two.stderr == ""


@pytest.mark.long
def test_a_server_that_was_frozen_for_8_seconds_repeats_no_recorded_call(cluster: Cluster) -> None:
    one, two = cluster.start(2)
    waiting = [one.api.start("Asker", f"ask {number}") for number in range(20)]
    wait_until(lambda: two.api.count("waiting") == 20, 20, "not all runs wait")
    working = [one.api.start("Worker", f"job {number}") for number in range(40)]
    napper = one.api.start("Napper")
    two.api.wait_for_text(napper, "asleep")
    one.send(signal.SIGSTOP)
    frozen = time.monotonic()
    later = [two.api.start("Worker", f"job {number}") for number in range(40, 50)]
    wait_until(lambda: time.monotonic() > frozen + 8, 10, "")
    one.send(signal.SIGCONT)
    later += [one.api.start("Worker", f"job {number}") for number in range(50, 60)]
    for run_id in waiting:
        request = one.api.wait_for_request(run_id)
        two.api.respond(run_id, request["id"], approved=True)
    wait_until(lambda: one.api.count("completed") == 81, 40, "not all runs ended")
    for number, run_id in enumerate(working + later):
        _check_worker(two.api, run_id, number)
    for number, run_id in enumerate(waiting):
        _check_asker(one.api, run_id, number)
    assert cluster.steps_run_again() == []
    # The server that wakes finds the call running elsewhere, and not recorded yet.
    assert cluster.side_file.read_text().count("long") == 1
    assert one.stderr.count("\n") == 1
    assert "this server lost contact" in one.stderr
    assert two.stderr == ""


@pytest.mark.long
def test_a_server_that_does_not_notice_its_broken_connection_repeats_no_call(
    cluster: Cluster, postgresql_url: str
) -> None:
    relay = Relay(postgresql_url)
    cluster.url = relay.url
    [one] = cluster.start(1)
    cluster.url = postgresql_url
    [two] = cluster.start(1)
    working = [one.api.start("Walker") for _ in range(10)]
    wait_until(lambda: len(cluster.calls()) > 20, 10, "the runs do not work")
    relay.hang_up_silently(b"LISTEN duvo")
    wait_until(lambda: two.api.count("completed") == 10, 40, "not all runs ended")
    for run_id in working:
        tools = ["tool_call", "tool_result"] * 15
        _check(two.api, run_id, ["session_started", *tools, "session_completed"])
    # No call was running during the takeover, so none was repeated.
    assert len(cluster.calls()) == len(set(cluster.calls())) == 150
    wait_until(lambda: "this server lost contact" in one.stderr, 10, "nothing was logged")
    cluster.close()
    relay.close()


@pytest.mark.long
def test_runs_of_a_server_that_exits_cleanly_continue_on_another(cluster: Cluster) -> None:
    one, two = cluster.start(2)
    working = [one.api.start("Worker", f"job {number}") for number in range(10)]
    one.leave()
    before = time.monotonic()
    for number, run_id in enumerate(working):
        two.api.wait_for_end(run_id)
        _check_worker(two.api, run_id, number)
    print("clean exit; all ended after", time.monotonic() - before)
    assert one.stderr == two.stderr == ""
    assert cluster.steps_run_again() == []


@pytest.mark.long
def test_servers_wait_for_a_database_that_restarts_under_load(
    cluster: Cluster, postgresql: PostgreSQL
) -> None:
    one, two = cluster.start(2)
    waiting = [one.api.start("Asker", f"ask {number}") for number in range(10)]
    requests = {run_id: one.api.wait_for_request(run_id)["id"] for run_id in waiting}
    with ThreadPoolExecutor(4) as pool:
        # Some of these are in progress when the database stops.
        starts = pool.map(lambda n: (one, two)[n % 2].api.start("Worker", f"job {n}"), range(40))
        working = [next(starts) for _ in range(20)]
        postgresql.stop()
        answers = [
            pool.submit(two.api.respond, run_id, request, approved=True)
            for run_id, request in requests.items()
        ]
        postgresql.start()
        working += starts
        assert all(answer.result() for answer in answers)
    wait_until(lambda: two.api.count("completed") == 50, 40, "not all runs ended")
    assert two.api.get(f"/v2/teams/{two.api.team}/runs?limit=1")["total"] == 50
    for number, run_id in enumerate(working):
        _check_worker(one.api, run_id, number)
    for number, run_id in enumerate(waiting):
        _check_asker(two.api, run_id, number)
    assert cluster.steps_run_again() == []
    for server in (one, two):
        away, back = server.stderr.splitlines()
        assert away.startswith("the database does not answer; waiting for it: ")
        assert back.startswith("the database answers again, after ")


def _list(api: EngineAPI, status: str) -> list[dict[str, object]]:
    path = f"/v2/teams/{api.team}/runs?limit=100&status={status}"
    first = api.get(path)
    found = list(first["data"])
    while len(found) < first["total"]:
        found += api.get(f"{path}&offset={len(found)}")["data"]
    return found


def _check_worked(api: EngineAPI, run_id: str, number: int) -> None:
    assert api.texts(run_id) == [f"got job {number}", *(f"step {n}" for n in range(4)), "end"]


def _check_worker(api: EngineAPI, run_id: str, number: int) -> None:
    _check_worked(api, run_id, number)
    _check(api, run_id, [*WORKED, "session_completed"])


def _check_asker(api: EngineAPI, run_id: str, number: int) -> None:
    assert api.texts(run_id) == ["went True"]
    rest = ["tool_call", "tool_result", "text", "session_completed"]
    _check(api, run_id, ["text", *ASKED, *rest])


def _check(api: EngineAPI, run_id: str, types: list[str]) -> None:
    conversation = api.conversation(run_id)
    assert [message["type"] for message in conversation] == types
    times = [message["timestamp"] for message in conversation]
    assert times == sorted(set(times))
