"""Slow and silent servers: every wait has an end, and closing ends it at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM
from tests.servers.raw_server import raw_server
from tests.support.clients import Connect
from tests.support.lateness import AT_MOST, ends_in_time, lateness

RUN = "33333333-3333-4333-8333-333333333333"
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nduvo-long-poll: 25\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def answer(connection: socket.socket, body: bytes) -> None:
    connection.sendall(HEAD + chunk(body) + b"0\r\n\r\n")


def holding(stop: threading.Event, beat: float) -> Callable[[socket.socket, bytes], None]:
    """Hold each long poll, with a blank every few seconds."""

    def serve(connection: socket.socket, head: bytes) -> None:
        if b"wait=" in head.split(b"\r\n")[0]:
            connection.sendall(HEAD)
            while not stop.wait(beat):
                connection.sendall(chunk(b" "))
        elif b"/messages" in head.split(b"\r\n")[0]:
            answer(connection, b'{"messages": [], "total": 0, "limit": 50, "offset": 0}')
        else:
            answer(connection, b'{"run": {"id": "' + RUN.encode() + b'", "status": "running"}}')

    return serve


def test_closing_ends_a_held_request_within_a_second(connect: Connect) -> None:
    stop = threading.Event()
    with raw_server(holding(stop, 0.5)) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)

        def attempt() -> None:
            messages = client.runs.run(RUN).messages(follow=True)
            threading.Timer(0.6, messages.close).start()
            assert list(messages) == []

        # The server sends something every half second.
        assert lateness(1.1, attempt) <= AT_MOST
        stop.set()


def test_a_dripping_response_ends_at_the_timeout(connect: Connect) -> None:
    stop = threading.Event()
    with raw_server(holding(stop, 0.05)) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)

        def attempt() -> None:
            with pytest.raises(duvo.WaitTimeout) as caught:
                client.runs.run(RUN).wait(timeout=1)
            assert caught.value.timeout == 1

        assert lateness(1, attempt) <= AT_MOST
        stop.set()


def test_a_dripping_body_with_a_length_ends_at_the_timeout(connect: Connect) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
        while not stop.wait(0.05):
            connection.sendall(b" ")

    with raw_server(drip) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        ends_in_time(1, lambda: client.runs.run(RUN).wait(timeout=1))
        stop.set()


def test_the_interpreter_exits_silently_after_a_break() -> None:
    stop = threading.Event()
    code = f"""
import duvo, threading
client = duvo.Client(api_key="x", base_url=BASE, team_id="{TEAM}")
messages = client.runs.run("{RUN}").messages(follow=True)
threading.Timer(0.3, messages.close).start()
for message in messages:
    break
other = client.runs.run("{RUN}").messages(follow=True, timeout=0.5)
try:
    next(other)
except duvo.WaitTimeout:
    pass
"""
    with raw_server(holding(stop, 0.1)) as base_url:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", f"BASE = {base_url!r}{code}"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        stop.set()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
