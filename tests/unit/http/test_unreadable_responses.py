"""Responses that cannot be read: the outcome of a change is unknown, a read is repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

import duvo
from duvo._http import retries
from tests.servers.fake_api import AGENT, KEY, TEAM
from tests.support.clients import Connect

RUN = "33333333-3333-4333-8333-333333333333"

UNREADABLE = {
    "two lengths": b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "no status": b"HTTP/1.1 done\r\n\r\n{}",
    "bad chunk": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}",
    "not gzip": b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "nothing": b"",
}


@contextmanager
def responding(response: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Respond to each connection with these bytes; yields the base URL and what arrived."""
    received: list[bytes] = []

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            received.append(self.request.recv(65536))
            self.wfile.write(response)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", received
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "backoff", lambda attempt, asked=None: 0.001)


@pytest.mark.parametrize("response", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.runs.start(AGENT),
        lambda client: client.runs.run(RUN).send_message("go"),
        lambda client: client.request("POST", "/v2/x", body={}),
    ],
    ids=["start", "send_message", "request"],
)
def test_a_change_whose_response_cannot_be_read_has_an_unknown_outcome(
    connect: Connect, response: bytes, change: Callable[[duvo.Client], Any]
) -> None:
    with responding(response) as (base_url, received):
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM)
        with pytest.raises(duvo.OutcomeUnknown):
            change(client)
        assert len(received) == 1


@pytest.mark.parametrize("response", UNREADABLE.values(), ids=UNREADABLE)
def test_a_read_whose_response_cannot_be_read_is_repeated_and_ends_as_a_broken_connection(
    connect: Connect, response: bytes
) -> None:
    with responding(response) as (base_url, received):
        client = connect(api_key=KEY, base_url=base_url, team_id=TEAM, max_retries=2)
        with pytest.raises(duvo.ConnectionError, match="broke"):
            client.runs.get(RUN)
        assert len(received) == 3
