"""TLS that breaks: before a request nothing was sent, after it the outcome is unknown."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM
from tests.servers.raw_server import raw_server
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock

CLIENT_HELLO = b"\x16\x03\x01"


def own_session(request: pytest.FixtureRequest) -> Any:
    """Return a session for the client of a test, blocking or async."""
    if request.node.callspec.params["connect"] == "async":
        return httpx2.AsyncClient()
    session = requests.Session()
    request.addfinalizer(session.close)
    return session


class Greetings:
    """Fails TLS handshakes in one way, and counts them."""

    def __init__(self, fail: Callable[[socket.socket], None]):
        self.count = 0
        self._fail = fail

    def serve(self, connection: socket.socket, hello: bytes) -> None:
        assert hello.startswith(CLIENT_HELLO)
        self.count += 1
        self._fail(connection)


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1)


def speak_http(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("fail", [close, reset, say_nothing])
@pytest.mark.parametrize("whose", ["ours", "the caller's"])
def test_a_change_whose_handshake_breaks_is_sent_again_and_known_to_be_undone(
    connect: Connect,
    request: pytest.FixtureRequest,
    fail: Callable[[socket.socket], None],
    whose: str,
) -> None:
    session = own_session(request) if whose == "the caller's" else None
    greetings = Greetings(fail)
    with raw_server(greetings.serve) as base_url:
        client = connect(
            api_key=KEY,
            base_url=base_url.replace("http:", "https:"),
            team_id=TEAM,
            max_retries=2,
            timeout=0.3 if fail is say_nothing else 30,
            session=session,
        )
        clock = client._driver.api.clock = StoppedClock()
        with pytest.raises((duvo.ConnectionError, duvo.TimeoutError)) as caught:
            client.runs.start(AGENT)
    assert not isinstance(caught.value, duvo.TLSError)
    assert not caught.value.arrived
    assert len(clock.sleeps) == 2
    # The client may leave before a slow server has read its greeting.
    assert greetings.count <= 3


@pytest.mark.parametrize("whose", ["ours", "the caller's"])
def test_a_server_without_tls_is_not_asked_again(
    connect: Connect, request: pytest.FixtureRequest, whose: str
) -> None:
    session = own_session(request) if whose == "the caller's" else None
    greetings = Greetings(speak_http)
    with raw_server(greetings.serve) as base_url:
        base_url = base_url.replace("http:", "https:")
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM, session=session)
        with pytest.raises(duvo.TLSError) as caught:
            client.runs.start(AGENT)
    assert not caught.value.arrived
    assert greetings.count == 1


class BrokenRecords:
    """Answers requests over TLS with bytes that are not TLS, or not at all."""

    def __init__(self, authority: trustme.CA, after: bytes):
        self.count = 0
        self._after = after
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)

    def serve(self, connection: socket.socket, hello: bytes) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = self._context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(hello)
        request = b""
        while not request:
            try:
                request = secured.read(65536)
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        self.count += 1
        connection.sendall(self._after)
        close(connection)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[trustme.CA]:
    """A certificate authority, trusted by the environment."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "ca.pem"))
    yield authority


@pytest.mark.parametrize(
    "after", [b"", b"\x17\x03\x03\x00\x20" + b"x" * 32, b"HTTP/1.1 400 No\r\n"]
)
def test_tls_that_breaks_after_a_change_was_sent_leaves_its_outcome_unknown(
    connect: Connect, authority: trustme.CA, after: bytes
) -> None:
    broken = BrokenRecords(authority, after)
    with raw_server(broken.serve) as base_url:
        base_url = base_url.replace("http:", "https:")
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        with pytest.raises(duvo.OutcomeUnknown, match="broke"):
            client.runs.start(AGENT)
    assert broken.count == 1


def test_a_callers_session_that_sends_again_leaves_the_outcome_of_a_change_unknown() -> None:
    retry = Retry(3, allowed_methods=None, backoff_factor=0)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        client = duvo.Client(KEY, "http://127.0.0.1:1", TEAM, session=session)
        # Only the last failure is known: an earlier attempt might have been sent.
        with pytest.raises(duvo.OutcomeUnknown):
            client.runs.start(AGENT)
