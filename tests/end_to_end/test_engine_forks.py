"""Processes that tools fork hold nothing of the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.command import wait_for
from tests.support.forks import PYTHON_FOR_FORKS

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"), pytest.mark.long]

START = """
import os, signal, socket, sys, time
from pathlib import Path
from duvo.local import Server, agent
from tests.servers.engine_api import EngineAPI

def fork():
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    return child

@agent("Forks")
async def forks(run):
    await run.say(str(await run.tool("fork", {}, fork)))

def serve(port=0):
    server = Server([forks], database=sys.argv[1], port=port, examples=False)
    server.start()
    return server, EngineAPI.of(server)

def fork_in_a_tool(api):
    run_id = api.start("Forks")
    api.wait_for_end(run_id)
    return int(api.texts(run_id)[0])

server, api = serve()
"""

SQLITE = """
accepted = socket.create_connection(("127.0.0.1", server.port))
accepted.settimeout(20)
accepted.sendall(b"GET /v2/teams HTTP/1.1\\r\\nhost: 127.0.0.1\\r\\n\\r\\n")
assert accepted.recv(1)
child = fork_in_a_tool(api)
opened = [os.readlink(entry) for entry in Path(f"/proc/{child}/fd").iterdir()]
print("database:", [name for name in opened if name.startswith(sys.argv[1])], flush=True)

# Its main thread ends as a program does, and closes the objects that it inherited.
main = os.fork()
if main == 0:
    sys.exit(3)
print("exit code:", os.waitstatus_to_exitcode(os.waitpid(main, 0)[1]), flush=True)

server.close()
while accepted.recv(1000):
    pass
print("connection: closed", flush=True)
server, api = serve(server.port)
print("runs:", api.count("completed"), flush=True)
server.close()
os.kill(child, signal.SIGKILL)
"""

POSTGRESQL = """
child = fork_in_a_tool(api)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_a_forked_process_holds_neither_sockets_nor_files_of_the_engine(tmp_path: Path) -> None:
    command = [*PYTHON_FOR_FORKS, "-c", START + SQLITE, str(tmp_path / "runs.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "database: []",
        "exit code: 3",
        "connection: closed",
        "runs: 1",
    ]


def test_a_forked_process_holds_no_connection_to_postgresql(
    postgresql_url: str, tmp_path: Path
) -> None:
    command = [*PYTHON_FOR_FORKS, "-c", START + POSTGRESQL, postgresql_url]
    output = tmp_path / "output"
    with output.open("w") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, timeout=60)
    child = int(output.read_text())
    try:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            wait_for(lambda: connection.execute(OTHERS).fetchone() == (0,))
    finally:
        os.kill(child, signal.SIGKILL)
