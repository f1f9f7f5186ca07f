"""SOCKS proxies: every connection goes through them, and a call's timeout limits them too."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from urllib3.connection import HTTPConnection

import duvo
from duvo._time.connection import TimedConnection
from duvo._time.exchange import Exchange
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, serving
from tests.servers.raw_server import raw_server
from tests.servers.socks_proxy import SocksProxy, running_socks_proxy
from tests.support.blocking import FacadeClient
from tests.support.clients import Connect
from tests.support.lateness import ends_in_time

HOST = "api.example.test"
RUN = "33333333-3333-4333-8333-333333333333"
TIMEOUT = 0.4


class DirectServer:
    """A server at the address of the host's name, which counts connections past the proxy."""

    def __init__(self, listener: socket.socket):
        self.port: int = listener.getsockname()[1]
        self.base_url = f"http://{HOST}:{self.port}"
        self.connections = 0
        self._listener = listener

    def count(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.connections += 1


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> Iterator[DirectServer]:
    """The server at the host's own address, to which nothing may connect."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        is_host = host in (HOST, HOST.encode())
        return real("127.0.0.1" if is_host else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    listener = socket.create_server(("127.0.0.1", 0))
    server = DirectServer(listener)
    thread = threading.Thread(target=server.count, daemon=True)
    thread.start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert server.connections == 0


@pytest.fixture
def proxy(direct: DirectServer, fake_api: FakeAPI) -> Iterator[SocksProxy]:
    """A proxy that alone can reach the API."""
    with running_socks_proxy() as proxy:
        proxy.ports[direct.port] = int(fake_api.base_url.rpartition(":")[2])
        yield proxy


@pytest.fixture
def ended_run(fake_api: FakeAPI) -> str:
    """The id of a run that has ended."""
    run_id = fake_api.start()
    fake_api.end(run_id)
    return run_id


@pytest.fixture(params=[None, 30], ids=["without a timeout", "with a timeout"])
def timeout(request: pytest.FixtureRequest) -> float | None:
    """The timeout of a call; calls without one connect to the proxy in another way."""
    value: float | None = request.param
    return value


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_every_call_goes_through_the_socks_proxy(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    ended_run: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    timeout: float | None,
) -> None:
    monkeypatch.setenv(variable, proxy.remote_url)
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
    assert client.runs.run(ended_run).wait(timeout=timeout).status == "completed"
    assert proxy.requests and set(proxy.requests) == {f"{HOST}:{direct.port}"}


def test_the_command_with_a_timeout_goes_through_the_socks_proxy(
    direct: DirectServer, proxy: SocksProxy, ended_run: str
) -> None:
    done = subprocess.run(
        ["duvo", "runs", "wait", ended_run, "--timeout", "30"],
        env={
            **os.environ,
            "DUVO_API_KEY": KEY,
            "DUVO_API_BASE_URL": direct.base_url,
            "ALL_PROXY": proxy.remote_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert set(proxy.requests) == {f"{HOST}:{direct.port}"}


def test_every_call_over_tls_goes_through_the_socks_proxy(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float | None,
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.remote_url)
    with serving(FakeAPI(), context) as server:
        run_id = server.start()
        server.end(run_id)
        proxy.ports[direct.port] = int(server.base_url.rpartition(":")[2])
        client = connect(api_key=KEY, base_url=f"https://{HOST}:{direct.port}", team_id=TEAM)
        assert client.runs.run(run_id).wait(timeout=timeout).status == "completed"
    assert set(proxy.requests) == {f"{HOST}:{direct.port}"}


@pytest.mark.blocking_only
def test_socks5_resolves_the_name_on_this_machine(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    ended_run: str,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float | None,
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
    assert client.runs.run(ended_run).wait(timeout=timeout).status == "completed"
    assert set(proxy.requests) == {f"127.0.0.1:{direct.port}"}


@pytest.mark.blocking_only
def test_a_callers_session_keeps_its_socks_proxy(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    ended_run: str,
    timeout: float | None,
) -> None:
    with requests.Session() as session:
        session.proxies = {"all": proxy.remote_url}
        client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, session=session)
        assert client.runs.run(ended_run).wait(timeout=timeout).status == "completed"
    assert set(proxy.requests) == {f"{HOST}:{direct.port}"}


def test_the_login_of_a_socks_proxy_is_in_its_url(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    ended_run: str,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float | None,
) -> None:
    proxy.login = ("ada", "s3:cret")
    monkeypatch.setenv("ALL_PROXY", f"socks5h://ada:s3%3Acret@{proxy.address}")
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
    assert client.runs.run(ended_run).wait(timeout=timeout).status == "completed"
    assert proxy.requests


@pytest.mark.parametrize("drip", [b"", b"\x05"], ids=["silent", "dripping"])
def test_a_socks_proxy_that_does_not_answer_ends_at_the_timeout(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    monkeypatch: pytest.MonkeyPatch,
    drip: bytes,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy.drip = drip
        address = proxy.address if drip else f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{address}")
        client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))


@pytest.mark.blocking_only
def test_a_callers_session_whose_socks_proxy_drips_ends_at_the_timeout(
    connect: Connect, direct: DirectServer, proxy: SocksProxy
) -> None:
    proxy.drip = b"\x05"
    with requests.Session() as session:
        session.proxies = {"all": proxy.remote_url}
        client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, session=session)
        ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))


@pytest.mark.blocking_only
@pytest.mark.parametrize("slow", [HOST, "proxy.test"])
def test_a_name_that_is_looked_up_for_long_for_a_socks_proxy_ends_at_the_timeout(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if host in (slow, slow.encode()):
            proxy.stop.wait(30)
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    address = proxy.address if slow == HOST else "proxy.test:1080"
    monkeypatch.setenv("ALL_PROXY", f"socks5://{address}")
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
    ends_in_time(TIMEOUT, lambda: client.runs.run(RUN).wait(timeout=TIMEOUT))
    proxy.stop.set()


def test_a_change_that_a_socks_proxy_does_not_pass_on_is_retried_and_has_not_arrived(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float | None,
) -> None:
    proxy.reply = 4
    monkeypatch.setenv("ALL_PROXY", proxy.remote_url)
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, max_retries=1)
    with pytest.raises(duvo.ConnectionError, match=r"proxy did not connect.*Host unreach") as no:
        client.runs.start(AGENT) if timeout is None else client.runs.ask(
            AGENT, "go", timeout=timeout
        )
    assert not no.value.arrived
    assert len(proxy.requests) == 2


@pytest.mark.parametrize(
    ("login", "reply"), [(("ada", "other"), 0), (None, 2)], ids=["login", "ruleset"]
)
def test_a_refusal_of_a_socks_proxy_is_not_retried(
    connect: Connect,
    direct: DirectServer,
    proxy: SocksProxy,
    monkeypatch: pytest.MonkeyPatch,
    login: tuple[str, str] | None,
    reply: int,
) -> None:
    proxy.login, proxy.reply = login, reply
    monkeypatch.setenv("ALL_PROXY", f"socks5h://ada:s3cret@{proxy.address}" if login else proxy.url)
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM)
    for call in (lambda: client.runs.start(AGENT), lambda: client.runs.run("r").wait(timeout=60)):
        with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
            call()
        assert not caught.value.arrived
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05", b"\x05\x00\x05\x00\x00\x09"]
)
def test_a_proxy_that_does_not_speak_socks_is_an_error_of_the_connection(
    connect: Connect, direct: DirectServer, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    def serve(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(serve) as url:
        monkeypatch.setenv("ALL_PROXY", url.replace("http://", "socks5h://"))
        client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, max_retries=0)
        with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
            client.runs.start(AGENT)
    assert not caught.value.arrived


def test_a_socks_proxy_that_is_not_there_is_named(
    connect: Connect, direct: DirectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:1")
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, max_retries=0)
    with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
        client.runs.start(AGENT)
    assert not caught.value.arrived


@pytest.mark.long
@pytest.mark.blocking_only
def test_the_socks_proxy_of_a_callers_session_that_is_not_there_is_named(
    connect: Connect, direct: DirectServer
) -> None:
    with requests.Session() as session:
        session.proxies = {"all": "socks5h://127.0.0.1:1"}
        client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, session=session)
        with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
            client.runs.start(AGENT)
    assert not caught.value.arrived


@pytest.mark.parametrize("kind", ["blocking", "async", "session"])
def test_a_package_that_a_socks_proxy_needs_is_named_in_one_line(
    direct: DirectServer, tmp_path: Path, kind: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""
import asyncio, sys
sys.modules["socks"] = sys.modules["socksio"] = None
import warnings; warnings.simplefilter("ignore")
import requests, duvo

proxy, kind = "socks5h://ada:s3cret@127.0.0.1:9", {kind!r}

async def main():
    async with duvo.AsyncClient({KEY!r}, {direct.base_url!r}) as client:
        await client.teams.list()

try:
    if kind == "async":
        asyncio.run(main())
    else:
        session = None
        if kind == "session":
            session = requests.Session()
            session.proxies = {{"all": proxy}}
        duvo.Client({KEY!r}, {direct.base_url!r}, session=session).teams.list()
except duvo.ConfigError as error:
    print(error)
""")
    environ = {} if kind == "session" else {"ALL_PROXY": "socks5h://ada:s3cret@127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    package = "socksio" if kind == "async" else "PySocks"
    assert (
        f"needs the package {package}: install it with `pip install 'duvo[socks]'`" in done.stdout
    )
    assert done.stdout.count("\n") == 1 and "s3cret" not in done.stdout


def test_socks4_is_used_by_the_blocking_client_and_refused_by_the_async_one(
    connect: Connect, direct: DirectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://ada@127.0.0.1:1")
    client = connect(api_key=KEY, base_url=direct.base_url, team_id=TEAM, max_retries=0)
    with pytest.raises(duvo.DuvoError) as caught:
        client.teams.list()
    text = str(caught.value)
    expected = "not SOCKS 4" if isinstance(client, FacadeClient) else "the proxy did not connect"
    assert expected in text
    assert "ada" not in text


def test_a_connection_of_another_kind_connects_in_its_own_way_within_a_timeout() -> None:
    near, far = socket.socketpair()

    class Tunnel(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return near

    class TimedTunnel(TimedConnection, Tunnel):
        pass

    with near, far, Exchange(30) as exchange:
        connection = TimedTunnel("127.0.0.1", 1)
        connection.connect()
        assert connection.sock is near
        exchange.end()
        assert far.recv(1) == b""
        connection.close()
