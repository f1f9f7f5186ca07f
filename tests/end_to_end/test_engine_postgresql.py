"""The engine on PostgreSQL, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo.local import DatabaseDamaged, Server
from tests.local_api import LocalApi


def programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of an empty database."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory() as name:
        # It refuses to run as root.
        user = "postgres" if os.getuid() == 0 else None
        if user:
            shutil.chown(name, user)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(folder / program), *arguments],
                check=True,
                user=user,
                cwd=name,
                stdout=subprocess.DEVNULL,
            )

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        data = f"{name}/data"
        run("initdb", "-D", data, "-A", "trust", "-U", "duvo", "-N")
        options = f"-h 127.0.0.1 -p {port} -k {name} -F"
        run("pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{name}/log", "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "duvo", "runs")
            yield f"postgresql://duvo:secret@127.0.0.1:{port}/runs"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def test_runs_are_started_answered_stopped_and_resumed(url: str, tmp_path: Path) -> None:
    key = {"Idempotency-Key": "one"}
    with Server(database=url, port=0) as server:
        assert "secret" not in server.database
        assert server.key_file.parent == tmp_path / "state"
        first_key = server.api_key
        api = LocalApi.of(server)
        path = f"/v2/teams/{api.team}/runs"
        body = {"agent_id": api.agent_id("Talker"), "message": "once"}
        started = api.post(path, body, status=201, headers=key)
        assert api.post(path, body, status=201, headers=key) == started
        run_id = started["run"]["id"]
        api.wait_for_end(run_id)
        api.say(run_id, "twice")
        api.wait_for_end(run_id)
        assert "You said: twice" in api.texts(run_id)
        times = [one["timestamp"] for one in api.conversation(run_id)]
        assert times == sorted(set(times))
        working = api.start("Endless worker")
        api.wait_for_text(working, "Working, part 1")
        api.stop(working)
        assert api.status(working) == "interrupted"
        waiting = api.start("Invoice approver", "50%_off")
        request = api.wait_for_request(waiting)
        assert api.get(f"{path}?search=50%25_OFF")["total"] == 1
        assert api.get(f"{path}?status=waiting")["total"] == 1
        api.close()
    with Server(database=url, port=0) as server:
        assert server.api_key == first_key
        api = LocalApi.of(server)
        assert api.post(path, body, status=201, headers=key) == started
        api.respond(waiting, request["id"], approved=True)
        assert api.wait_for_end(waiting)["run"]["status"] == "completed"
        assert api.texts(waiting)[-1] == "INV-1042 is posted."
        api.close()


def test_a_database_that_cannot_be_reached_is_told_in_one_line(url: str) -> None:
    with pytest.raises(DatabaseDamaged, match="cannot be used") as caught:
        Server(database=url.replace("/runs", "/nowhere"), port=0).start()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
