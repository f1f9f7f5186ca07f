"""The engine on PostgreSQL."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from duvo.local import DatabaseDamaged, Server
from tests.servers.engine_api import EngineAPI
from tests.servers.postgresql import Pooler, PostgreSQL


def test_runs_are_started_answered_stopped_and_resumed_on_postgresql(
    postgresql_url: str, tmp_path: Path
) -> None:
    key = {"Idempotency-Key": "one"}
    with Server(database=postgresql_url, port=0) as server:
        assert "secret" not in server.database
        assert server.key_file.parent == tmp_path / "state"
        first_key = server.api_key
        api = EngineAPI.of(server)
        path = f"/v2/teams/{api.team}/runs"
        body = {"agent_id": api.agent_id("Talker"), "message": "once"}
        started = api.post(path, body, status=201, headers=key)
        assert api.post(path, body, status=201, headers=key) == started
        run_id = started["run"]["id"]
        api.wait_for_end(run_id)
        api.say(run_id, "twice")
        api.wait_for_end(run_id)
        assert "You said: twice" in api.texts(run_id)
        times = [message["timestamp"] for message in api.conversation(run_id)]
        assert times == sorted(set(times))
        working = api.start("Endless worker")
        api.wait_for_text(working, "Working, part 1")
        api.stop(working)
        assert api.status(working) == "interrupted"
        waiting = api.start("Invoice approver", "INV-1042 at 50%_off")
        request = api.wait_for_request(waiting)
        assert api.get(f"{path}?search=50%25_OFF")["total"] == 1
        assert api.get(f"{path}?status=waiting")["total"] == 1
        api.close()
    with Server(database=postgresql_url, port=0) as server:
        assert server.api_key == first_key
        api = EngineAPI.of(server)
        assert api.post(path, body, status=201, headers=key) == started
        api.respond(waiting, request["id"], approved=True)
        assert api.wait_for_end(waiting)["run"]["status"] == "completed"
        assert api.texts(waiting)[-1] == "INV-1042 is posted."
        api.close()


def test_an_unreachable_database_is_refused_in_one_line_without_the_password(
    postgresql_url: str,
) -> None:
    with pytest.raises(DatabaseDamaged, match="cannot be used") as caught:
        Server(database=postgresql_url.replace("/runs", "/nowhere"), port=0).start()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_engine_starts_on_the_writable_one_of_several_hosts(
    postgresql: PostgreSQL, postgresql_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    hosts = f"127.0.0.1:{nobody},127.0.0.1:{postgresql.port}"
    name = postgresql_url.rpartition("/")[2]
    url = f"postgresql://duvo:secret@{hosts}/{name}?target_session_attrs=read-write"
    with Server(database=url, port=0) as server:
        api = EngineAPI.of(server)
        assert api.wait_for_end(api.start("Talker"))["run"]["status"] == "completed"
        api.close()
        assert "secret" not in server.database


def test_a_pooler_in_transaction_mode_is_refused_in_one_line(postgresql_url: str) -> None:
    pooler = Pooler(postgresql_url, "transaction")
    with pytest.raises(DatabaseDamaged, match="session mode") as caught:
        Server(database=pooler.url, port=0).start()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    pooler.close()


def test_a_pooler_in_session_mode_is_used(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duvo.local._database.pooler._TIMEOUT", 30.0)
    pooler = Pooler(postgresql_url, "session")
    with Server(database=pooler.url, port=0) as server:
        api = EngineAPI.of(server)
        assert api.wait_for_end(api.start("Talker"))["run"]["status"] == "completed"
        api.close()
    pooler.close()
