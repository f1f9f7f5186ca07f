"""Proxies and certificates from the environment, with the SDK and the command."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

import duvo
from tests.servers.fake_api import KEY, TEAM, FakeAPI, serving
from tests.servers.proxy import Proxy, running_proxy
from tests.support.clients import Connect

Teams = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with the authority's certificate."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture
def fake_api_over_tls(authority: trustme.CA) -> Iterator[FakeAPI]:
    """The fake API over TLS, with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", "0.0.0.0", "api.example.test").configure_cert(
        context
    )
    with serving(FakeAPI(), context) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy on loopback."""
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def teams(connect: Connect) -> Teams:
    """Reads the teams of a server, by a client of its own."""

    def read(base_url: str) -> list[str]:
        client = connect(api_key=KEY, base_url=base_url, max_retries=0)
        return [team.id for team in client.teams.list()]

    return read


def elsewhere(base_url: str) -> str:
    """Return the URL of a server by a name that only the proxy knows."""
    return base_url.replace("127.0.0.1", "api.example.test")


def command(base_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["duvo", "api", "GET", "/v2/teams"],
        env={**os.environ, "DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": base_url},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_plain_request_goes_through_the_proxy(
    teams: Teams, fake_api: FakeAPI, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    assert teams(elsewhere(fake_api.base_url)) == [TEAM]
    assert proxy.requests == [f"GET {elsewhere(fake_api.base_url)}/v2/teams"]


def test_the_command_uses_the_proxy_and_the_ca_file_of_the_environment(
    fake_api_over_tls: FakeAPI, proxy: Proxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    base_url = elsewhere(fake_api_over_tls.base_url)
    answer = command(base_url)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["teams"][0]["id"] == TEAM
    assert proxy.requests == [f"CONNECT {base_url.removeprefix('https://')}"]


def test_a_host_in_no_proxy_is_reached_directly(
    teams: Teams, fake_api: FakeAPI, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 127.0.0.1 never goes through a proxy; this name resolves to it where no proxy is used.
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "0.0.0.0")
    assert teams(fake_api.base_url.replace("127.0.0.1", "0.0.0.0")) == [TEAM]
    assert proxy.requests == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_names_the_ca_file(
    teams: Teams,
    fake_api_over_tls: FakeAPI,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv(name, ca_file)
    assert teams(fake_api_over_tls.base_url) == [TEAM]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_ca_file_may_begin_with_a_tilde_and_be_surrounded_by_white_space(
    teams: Teams,
    fake_api_over_tls: FakeAPI,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("HOME", str(Path(ca_file).parent))
    monkeypatch.setenv(name, " ~/ca.pem\r\n")
    assert teams(fake_api_over_tls.base_url) == [TEAM]


def test_a_ca_variable_of_white_space_counts_as_unset(
    teams: Teams, fake_api_over_tls: FakeAPI, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", " \n")
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert teams(fake_api_over_tls.base_url) == [TEAM]


def test_white_space_around_a_proxy_is_ignored(
    teams: Teams, fake_api: FakeAPI, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f" {proxy.url}\r\n")
    assert teams(elsewhere(fake_api.base_url)) == [TEAM]
    assert len(proxy.requests) == 1


def test_a_proxy_of_white_space_counts_as_unset(
    teams: Teams, fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", " ")
    assert teams(fake_api.base_url.replace("127.0.0.1", "0.0.0.0")) == [TEAM]


@pytest.mark.parametrize("hosts", ["* ", " *\n", " 0.0.0.0\n", "10.0.0.1, \t0.0.0.0 "])
def test_white_space_around_the_hosts_without_a_proxy_is_ignored(
    teams: Teams, fake_api: FakeAPI, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    assert teams(fake_api.base_url.replace("127.0.0.1", "0.0.0.0")) == [TEAM]
    assert proxy.requests == []


def test_the_environment_is_read_once_for_each_client(
    fake_api_over_tls: FakeAPI,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    base_url = fake_api_over_tls.base_url.replace("127.0.0.1", "0.0.0.0")
    client = connect(api_key=KEY, base_url=base_url)
    client.teams.list()
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert client.teams.list()[0].id == TEAM


def test_a_request_over_tls_goes_through_the_proxy(
    teams: Teams,
    fake_api_over_tls: FakeAPI,
    proxy: Proxy,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without a scheme, as some environments have it.
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.removeprefix("http://"))
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    base_url = elsewhere(fake_api_over_tls.base_url)
    assert teams(base_url) == [TEAM]
    assert proxy.requests == [f"CONNECT {base_url.removeprefix('https://')}"]


def test_a_proxy_that_is_not_there_is_named(
    fake_api_over_tls: FakeAPI,
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    base_url = elsewhere(fake_api_over_tls.base_url)
    client = connect(api_key=KEY, base_url=base_url, team_id=TEAM, max_retries=0)
    with pytest.raises(duvo.ConnectionError, match=r"proxy did not connect.*HTTPS_PROXY") as no:
        client.runs.start("22222222-2222-4222-8222-222222222222")
    assert not no.value.arrived


def test_a_callers_session_takes_precedence_over_the_environment(
    fake_api_over_tls: FakeAPI, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    with requests.Session() as session:
        session.verify = ca_file
        with duvo.Client(
            api_key=KEY, base_url=fake_api_over_tls.base_url, session=session
        ) as client:
            assert client.teams.list()[0].id == TEAM


def test_an_untrusted_certificate_is_explained_and_not_retried(
    fake_api_over_tls: FakeAPI,
    connect: Connect,
) -> None:
    client = connect(api_key=KEY, base_url=fake_api_over_tls.base_url, team_id=TEAM)
    with pytest.raises(duvo.TLSError) as caught:
        client.runs.start("22222222-2222-4222-8222-222222222222")
    text = str(caught.value)
    assert fake_api_over_tls.base_url.removeprefix("https://") in text
    assert "certificate" in text
    assert "cacert.pem (the default)" in text
    assert "set REQUESTS_CA_BUNDLE" in text
    assert fake_api_over_tls.requests == []


def test_an_error_names_the_variable_of_the_ca_file(
    teams: Teams, fake_api_over_tls: FakeAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with pytest.raises(duvo.TLSError, match=r"other\.pem \(from REQUESTS_CA_BUNDLE\)"):
        teams(fake_api_over_tls.base_url)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_variable_that_an_error_recommends_works(
    teams: Teams,
    fake_api_over_tls: FakeAPI,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv(name, str(other))
    with pytest.raises(duvo.TLSError) as caught:
        teams(fake_api_over_tls.base_url)
    recommended = re.search(r"set (\w+) to the file with your CA", str(caught.value))
    assert recommended is not None
    monkeypatch.setenv(recommended[1], ca_file)
    assert teams(fake_api_over_tls.base_url) == [TEAM]


def test_a_missing_ca_file_is_reported(
    teams: Teams, fake_api_over_tls: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    with pytest.raises(duvo.ConfigError, match=r"SSL_CERT_FILE names /nonexistent\.pem"):
        teams(fake_api_over_tls.base_url)
