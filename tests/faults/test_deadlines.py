"""A timeout limits the whole request, whatever takes the time."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.servers.raw_server import raw_server
from tests.support.clients import Connect
from tests.support.lateness import ends_in_time

RUN = "33333333-3333-4333-8333-333333333333"
TIMEOUT = 0.4

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set at the end of the test, to stop servers that drip."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (OK + b"x: ", b"a"),
        (b"", b"H"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (OK + b"\r\n", b" "),
        (CHUNKED, b"0"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
        (b"", b""),
    ],
    ids=["header", "status line", "interim", "body without length", "chunk", "trailer", "silence"],
)
def test_a_response_that_drips_ends_at_the_timeout(
    connect: Connect, stop: threading.Event, beginning: bytes, drop: bytes
) -> None:
    def drip(connection: socket.socket, head: bytes) -> None:
        connection.sendall(beginning)
        while not stop.wait(0.05):
            connection.sendall(drop)

    with raw_server(drip) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
        stop.set()


@pytest.mark.blocking_only
def test_a_response_on_a_callers_session_that_drips_ends_at_the_timeout(
    connect: Connect, stop: threading.Event
) -> None:
    def drip(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK + b"x: ")
        while not stop.wait(0.05):
            connection.sendall(b"a")

    with raw_server(drip) as base_url:
        session = requests.Session()
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM, session=session)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
        # The first request still has the session.
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
        stop.set()


def test_a_kept_connection_that_drips_ends_at_the_timeout(
    connect: Connect, stop: threading.Event
) -> None:
    body = b'{"run": {"id": "%s", "status": "running"}}' % RUN.encode()
    seen = []

    def answer_once(connection: socket.socket, head: bytes) -> None:
        seen.append(head)
        if len(seen) == 1:
            connection.sendall(OK + b"content-length: %d\r\n\r\n" % len(body) + body)
        while len(seen) > 1 and not stop.wait(0.05):
            connection.sendall(b"H")

    with raw_server(answer_once) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        run = client.runs.get(RUN)
        ends_in_time(TIMEOUT, lambda: run.wait(timeout=TIMEOUT))
        stop.set()


def test_a_request_that_is_not_taken_ends_at_the_timeout(
    connect: Connect, stop: threading.Event
) -> None:
    def read_slowly(connection: socket.socket, head: bytes) -> None:
        while not stop.wait(0.05):
            connection.recv(1)

    with raw_server(read_slowly) as base_url:
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.ask(AGENT, "x" * 5_000_000, timeout=TIMEOUT))
        stop.set()


def test_a_silent_tls_handshake_ends_at_the_timeout(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))


def test_a_proxy_that_drips_ends_at_the_timeout(
    connect: Connect, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(connection: socket.socket, head: bytes) -> None:
        assert head.startswith(b"CONNECT ")
        connection.sendall(OK)
        while not stop.wait(0.05):
            connection.sendall(b"x: y\r\n")

    with raw_server(drip) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        client = connect(api_key=KEY, base_url="https://api.example.test", team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
        stop.set()


@pytest.mark.blocking_only
def test_a_team_that_another_thread_is_finding_does_not_outlast_the_timeout(
    connect: Connect, stop: threading.Event
) -> None:
    asked = threading.Event()

    def hold(connection: socket.socket, head: bytes) -> None:
        asked.set()
        stop.wait(60)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(hold) as base_url:
        client = connect(api_key=KEY, base_url=base_url, max_retries=0)

        def find() -> None:
            with pytest.raises(duvo.DuvoError):
                _ = client.team_id

        finding = threading.Thread(target=find)
        finding.start()
        assert asked.wait(30)
        ends_in_time(TIMEOUT, lambda: client.runs.ask(AGENT, "go", timeout=TIMEOUT))
        stop.set()
        finding.join()


Names = Callable[..., Any]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """A function that sets the addresses of the name `many.test`."""
    real = socket.getaddrinfo

    def put(find: Callable[[], Any]) -> None:
        def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
            is_ours = host in ("many.test", b"many.test")
            return find() if is_ours else real(host, *rest, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return put


def test_a_name_that_is_looked_up_for_long_ends_at_the_timeout(
    connect: Connect, stop: threading.Event, resolve: Callable[[Callable[[], Any]], None]
) -> None:
    def hang() -> Any:
        stop.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    resolve(hang)
    client = connect(api_key=KEY, base_url="http://many.test:9", team_id=TEAM)
    ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
    ends_in_time(TIMEOUT, lambda: client.runs.ask(AGENT, "go", timeout=TIMEOUT))
    assert sum(thread.name == "duvo-names" for thread in threading.enumerate()) <= 1


def wait(client: duvo.Client, timeout: float) -> None:
    client.runs.run(RUN).wait(timeout=timeout)


def ask(client: duvo.Client, timeout: float) -> None:
    client.runs.ask(AGENT, "go", timeout=timeout)


def failing_then_hanging(is_over: threading.Event) -> Callable[[], Any]:
    """A look-up that fails the first time, and later hangs until an event is set."""
    lookups = itertools.count()

    def find() -> Any:
        if next(lookups):
            is_over.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    return find


@pytest.mark.parametrize("call", [wait, ask])
def test_a_call_that_never_reached_the_server_reports_why(
    connect: Connect,
    resolve: Callable[[Callable[[], Any]], None],
    call: Callable[[duvo.Client, float], None],
) -> None:
    client = connect(api_key=KEY, base_url="http://many.test:9", team_id=TEAM)
    # On a busy machine, the first look-up may not fail within a second.
    for timeout in (1, 10, 30):
        is_over = threading.Event()
        resolve(failing_then_hanging(is_over))
        with pytest.raises(duvo.WaitTimeout) as caught:
            call(client, timeout)
        is_over.set()
        if "Name or service not known" in str(caught.value):
            break
    else:
        raise AssertionError(f"it does not report why: {caught.value}")
    cause = caught.value.__cause__
    assert isinstance(cause, duvo.ConnectionError) and not cause.arrived


@contextlib.contextmanager
def dead_addresses(count: int, port: int) -> Iterator[list[tuple[str, int]]]:
    """Run servers whose queues are full, so that connecting to them hangs."""
    with contextlib.ExitStack() as stack:
        dead = []
        for number in range(2, count + 2):
            server = stack.enter_context(socket.socket())
            server.bind((f"127.0.0.{number}", port))
            server.listen(0)
            port = server.getsockname()[1]
            dead.append((f"127.0.0.{number}", port))
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(dead[-1])
        yield dead


def infos(addresses: list[tuple[str, int]]) -> Any:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]


def test_dead_addresses_share_the_time(
    connect: Connect, resolve: Callable[[Callable[[], Any]], None]
) -> None:
    with dead_addresses(5, 0) as dead:
        resolve(lambda: infos(dead))
        client = connect(api_key=KEY, base_url=f"http://many.test:{dead[0][1]}", team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))


@pytest.mark.long
def test_a_live_address_after_dead_ones_is_reached_within_the_timeout(
    connect: Connect, fake_api: FakeAPI, resolve: Callable[[Callable[[], Any]], None]
) -> None:
    port = int(fake_api.base_url.rpartition(":")[2])
    run_id = fake_api.start()
    fake_api.end(run_id)
    with dead_addresses(2, port) as dead:
        resolve(lambda: infos([*dead, ("127.0.0.1", port)]))
        client = connect(api_key=KEY, base_url=f"http://many.test:{port}", team_id=TEAM)
        assert client.runs.run(run_id).wait(timeout=3).status == "completed"
