"""Proxies: what they refuse, what goes past them, which CA file counts, and their passwords."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

import duvo
from duvo._connections.environment import Environment, is_loopback
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, serving
from tests.servers.proxy import Proxy, running_proxy
from tests.servers.raw_server import raw_server
from tests.support.clients import Connect

HOST = "api.example.test"
REFUSED = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The context of servers with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", HOST).configure_cert(context)
    return context


@pytest.fixture
def trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The environment names the authority's certificate."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    yield


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy on loopback, named by the environment."""
    with running_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield proxy


@pytest.mark.parametrize("status", [b"502 Bad Gateway", b"503 Service Unavailable", b""])
def test_a_change_that_a_proxy_does_not_pass_on_is_sent_again_and_known_to_be_undone(
    connect: Connect, proxy: Proxy, status: bytes
) -> None:
    proxy.response = REFUSED % status if status else b""
    client = connect(api_key=KEY, base_url=f"https://{HOST}", team_id=TEAM, max_retries=1)
    with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
        client.runs.start(AGENT)
    assert not caught.value.arrived
    assert proxy.requests == [f"CONNECT {HOST}:443"] * 2


def test_a_change_that_a_proxy_does_not_pass_on_for_a_callers_session_is_known_to_be_undone(
    proxy: Proxy,
) -> None:
    proxy.response = REFUSED % b"503 Service Unavailable"
    with requests.Session() as session:
        client = duvo.Client(KEY, f"https://{HOST}", TEAM, session=session, max_retries=1)
        with pytest.raises(duvo.ConnectionError, match="the proxy did not connect") as caught:
            client.runs.start(AGENT)
    assert not caught.value.arrived
    assert len(proxy.requests) == 2


@pytest.mark.parametrize(
    "status", [b"407 Proxy Authentication Required", b"403 Forbidden", b"404 Not Found"]
)
def test_a_refusal_of_a_proxy_is_not_retried(connect: Connect, proxy: Proxy, status: bytes) -> None:
    proxy.response = REFUSED % status
    client = connect(api_key=KEY, base_url=f"https://{HOST}", team_id=TEAM)
    for call in (lambda: client.runs.start(AGENT), lambda: client.runs.run("r").wait(timeout=60)):
        proxy.requests.clear()
        with pytest.raises(duvo.ConnectionError, match=status.decode()) as caught:
            call()
        assert not caught.value.arrived
        assert proxy.requests == [f"CONNECT {HOST}:443"]


def test_a_proxy_that_breaks_after_a_change_was_sent_leaves_its_outcome_unknown(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(serve) as proxy_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        client = connect(api_key=KEY, base_url=f"http://{HOST}", team_id=TEAM)
        with pytest.raises(duvo.OutcomeUnknown, match="broke"):
            client.runs.start(AGENT)
    assert b"".join(heads).count(b"POST ") == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.usefixtures("trusted")
def test_loopback_is_never_reached_through_a_proxy(
    connect: Connect,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    host: str,
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with serving(FakeAPI(), tls if variable == "HTTPS_PROXY" else None) as server:
        base_url = server.base_url.replace("127.0.0.1", host)
        assert connect(api_key=KEY, base_url=base_url, max_retries=0).teams.list()[0].id == TEAM


def test_the_command_reaches_loopback_without_the_proxy(fake_api: FakeAPI) -> None:
    done = command(DUVO_API_BASE_URL=fake_api.base_url, HTTP_PROXY="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    assert TEAM in done.stdout


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("LOCALHOST.", True),
        ("api.localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name_or_address(host: str, is_local: bool) -> None:
    assert is_loopback(host) == is_local


@pytest.mark.usefixtures("trusted")
def test_the_ca_file_counts_after_a_redirect_to_https(
    connect: Connect, proxy: Proxy, fake_api: FakeAPI, tls: ssl.SSLContext
) -> None:
    fake_api.before = lambda seen: (308, b"", {"location": f"https://{HOST}{seen.target}"})
    with serving(FakeAPI(), tls) as server:
        for port, of in ((80, fake_api), (443, server)):
            proxy.ports[port] = int(of.base_url.rpartition(":")[2])
        client = connect(api_key=KEY, base_url=f"http://{HOST}", max_retries=0)
        assert client.teams.list()[0].id == TEAM
    assert proxy.requests == [f"GET http://{HOST}/v2/teams", f"CONNECT {HOST}:443"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.usefixtures("trusted")
def test_the_ca_file_counts_for_a_proxy_over_tls(
    connect: Connect, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with (
        running_proxy(tls) as proxy,
        serving(FakeAPI(), tls if scheme == "https" else None) as server,
    ):
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url)
        base_url = server.base_url.replace("127.0.0.1", HOST)
        client = connect(api_key=KEY, base_url=base_url, max_retries=0)
        assert client.teams.list()[0].id == TEAM
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "proxy_url",
    [
        "socks9://ada:s3cret@127.0.0.1:9",
        "socks5://ada:s3cret@127.0.0.1:9",
        "http://ada:s3cret@127.0.0.1:port",
        "http://ada:s3cret#@127.0.0.1:9",
        "http://ada:s3cret/@127.0.0.1:9",
        "ada:s3cret@127.0.0.1:9",
        "http://ada:s3cret@[127.0.0.1:9",
        "http://ada:s3cret@",
        "http://ada:s3cret@127.0.0.1:9",
        "https://ada:s3cret@nowhere.test:9",
    ],
)
def test_the_password_of_a_proxy_is_in_no_text(
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    proxy_url: str,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    client = connect(api_key=KEY, base_url=f"https://{HOST}", max_retries=0)
    with pytest.raises(duvo.DuvoError, match=r"PROXY|SOCKS") as caught:
        client.teams.list()
    whole = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in whole + repr(caught.value) + caplog.text


def test_the_command_does_not_print_the_password_of_a_proxy() -> None:
    proxy_url = "socks9://ada:s3cret@127.0.0.1:9"
    done = command("--debug", DUVO_API_BASE_URL=f"https://{HOST}", HTTPS_PROXY=proxy_url)
    assert done.returncode == 1
    assert "HTTPS_PROXY" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def command(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["duvo", *options, "api", "GET", "/v2/teams"],
        env={**os.environ, "DUVO_API_KEY": KEY, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_default_ca_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "missing.pem")
    monkeypatch.setattr("requests.utils.DEFAULT_CA_BUNDLE_PATH", file)
    with pytest.raises(duvo.ConfigError) as caught:
        Environment("https://duvo.test", {})
    assert str(caught.value).startswith(f"{file}, the default CA file, is not a usable CA file: ")
