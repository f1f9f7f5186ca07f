"""Sessions of the caller, with their hooks and adapters."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest

RUN = "33333333-3333-4333-8333-333333333333"


def raise_for_status(response: requests.Response, **_: Any) -> None:
    response.raise_for_status()


def read_body(response: requests.Response, **_: Any) -> None:
    assert response.text


def using(base_url: str, session: requests.Session) -> duvo.Client:
    return duvo.Client(KEY, base_url, TEAM, session=session, max_retries=0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, duvo.InvalidRequest),
        (401, duvo.AuthenticationError),
        (404, duvo.NotFound),
        (409, duvo.Conflict),
        (429, duvo.RateLimited),
        (500, duvo.ServerError),
    ],
)
@pytest.mark.parametrize("hooks", [[raise_for_status], [read_body, raise_for_status]])
def test_a_session_that_raises_for_the_status_gives_the_error_for_it(
    fake_api: FakeAPI, hooks: list[Any], status: int, kind: type[duvo.APIError]
) -> None:
    fake_api.before = lambda seen: (status, {"error": "no", "message": "not now"})
    with requests.Session() as session, using(fake_api.base_url, session) as client:
        session.hooks["response"] = hooks
        with pytest.raises(kind, match="no: not now"):
            client.runs.get(RUN)
        if status < 500:
            with pytest.raises(kind, match="no: not now"):
                client.runs.start(AGENT)


def test_a_session_that_raises_for_the_status_leaves_no_connection_behind(
    fake_api: FakeAPI,
) -> None:
    def respond(seen: ReceivedRequest) -> Any:
        return 404, {"error": "no", "message": seen.path}

    fake_api.before = respond
    with requests.Session() as session, using(fake_api.base_url, session) as client:
        session.hooks["response"] = [raise_for_status]
        for number in range(3):
            with pytest.raises(duvo.NotFound, match=f"/v2/x{number}"):
                client.request("GET", f"/v2/x{number}")


def test_a_hook_that_cannot_read_the_response_leaves_the_outcome_of_a_change_unknown(
    fake_api: FakeAPI,
) -> None:
    fake_api.before = lambda seen: (201, b"<html>", {"content-type": "text/html"})
    with requests.Session() as session, using(fake_api.base_url, session) as client:
        session.hooks["response"] = [lambda response, **_: response.json()["run"]]
        with pytest.raises(duvo.OutcomeUnknown):
            client.runs.start(AGENT)
        with pytest.raises(duvo.ConnectionError, match="broke"):
            client.runs.get(RUN)


@pytest.mark.parametrize(
    "headers", [{"X-Mine": "a\nb"}, {"X-Mine": "“quoted”"}], ids=["line break", "not latin-1"]
)
def test_a_session_with_a_header_that_cannot_be_sent_is_a_config_error(
    fake_api: FakeAPI, headers: dict[str, str]
) -> None:
    with requests.Session() as session, using(fake_api.base_url, session) as client:
        session.headers.update(headers)
        with pytest.raises(duvo.ConfigError):
            client.runs.start(AGENT)
    assert fake_api.requests == []


READS: dict[str, Callable[[duvo.Run], Any]] = {
    "refresh": lambda run: run.refresh(),
    "wait": lambda run: run.wait(timeout=20),
    "messages": lambda run: list(run.messages(timeout=20)),
    "follow": lambda run: list(run.messages(follow=True)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_session_whose_hook_reads_the_body_serves_every_read(
    fake_api: FakeAPI, read: Callable[[duvo.Run], Any]
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "done")
    fake_api.end(run_id)
    with requests.Session() as session, using(fake_api.base_url, session) as client:
        session.hooks["response"] = [read_body]
        read(client.runs.run(run_id))


class Canned(BaseAdapter):
    """Responds without a connection, with any object that can be read as the body."""

    def __init__(self, make_body: Callable[[bytes], Any]):
        super().__init__()
        self._make_body = make_body

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body = {"run": {"id": RUN, "status": "completed"}, "messages": [], "total": 0}
        response = requests.Response()
        response.status_code, response.request = 200, request
        response.raw = self._make_body(json.dumps(body).encode())
        return response

    def close(self) -> None:
        """Do nothing."""


class Raw:
    """A body that can only be read."""

    def __init__(self, content: bytes):
        self.read = io.BytesIO(content).read


class Stream(Raw):
    """A body in pieces, as vcrpy has them."""

    def stream(self, size: int, **_: Any) -> Any:
        while piece := self.read(min(size, 7)):
            yield piece


@pytest.mark.parametrize("make_body", [io.BytesIO, Raw, Stream])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_the_response_of_another_adapter_is_read(
    make_body: Callable[[bytes], Any], read: Callable[[duvo.Run], Any]
) -> None:
    with requests.Session() as session, using("http://api.invalid", session) as client:
        session.mount("http://", Canned(make_body))
        read(client.runs.run(RUN))
