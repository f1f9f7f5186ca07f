"""`--timeout` of a command that waits limits everything that the command does."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time

import pytest

from tests.servers.fake_api import AGENT, KEY, TEAM
from tests.servers.raw_server import raw_server

pytestmark = pytest.mark.long

RUN = "33333333-3333-4333-8333-333333333333"
COMMANDS = {
    "start": ["runs", "start", "--agent", AGENT, "--wait"],
    "start by name": ["runs", "start", "--agent", "Invoice approver", "--follow"],
    "wait": ["runs", "wait", RUN],
    "wait for several": ["runs", "wait", RUN, RUN.replace("3", "4")],
    "wait by prefix": ["runs", "wait", "3333"],
    "follow by prefix": ["runs", "messages", "3333", "--follow"],
    "watch": ["runs", "watch"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_at_its_timeout_while_responses_drip(name: str) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while not stop.wait(0.05):
            connection.sendall(b"a")

    with raw_server(drip) as base_url:
        settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": base_url, "DUVO_TEAM_ID": TEAM}
        began = time.monotonic()
        done = subprocess.run(
            ["duvo", *COMMANDS[name], "--timeout", "1"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **settings},
        )
        stop.set()
    assert time.monotonic() - began < 15
    assert (done.returncode, done.stdout) == (124, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("duvo: ")
    assert ("within " in line and "again" in line) or "shows whether the run was started" in line
