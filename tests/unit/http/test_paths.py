"""Ids and paths of requests: what is refused, what is escaped, and what the log shows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.support.clients import Connect

NO_IDS = ("", ".", "..", "\0", "a\0b")

CALLS: dict[str, Callable[[duvo.Client, str], Any]] = {
    "get": lambda client, id: client.runs.get(id),
    "refresh": lambda client, id: client.runs.run(id).refresh(),
    "stop": lambda client, id: client.runs.run(id).stop(),
    "wait": lambda client, id: client.runs.run(id).wait(),
    "messages": lambda client, id: list(client.runs.run(id).messages()),
    "send_message": lambda client, id: client.runs.run(id).send_message("go"),
    "watch": lambda client, id: list(client.runs.watch([id])),
    "wait_all": lambda client, id: client.runs.wait_all([id]),
    "start": lambda client, id: client.runs.start(id),
    "sandbox": lambda client, id: client.runs.start(AGENT, sandbox_id=id),
    "ask": lambda client, id: client.runs.ask(id),
    "map": lambda client, id: list(client.runs.map(id, ["go"])),
    "list": lambda client, id: list(client.runs.list(agent=id)),
    "user": lambda client, id: list(client.runs.list(user_id=id)),
    "case_queue": lambda client, id: list(client.runs.list(case_queue_id=id)),
    "inbox": lambda client, id: list(client.runs.inbox(agent=id)),
    "agent": lambda client, id: client.agents.get(id),
    "agent_id": lambda client, id: client.agents.id_of(id),
    "request_id": lambda client, id: client.runs.run(AGENT).respond(True, request_id=id),
    "after": lambda client, id: list(client.runs.run(AGENT).messages(after=id)),
    "request": lambda client, id: client.request("GET", f"/v2/runs/{id}/messages"),
    "change": lambda client, id: client.request("POST", f"/v2/runs/{id}/stop"),
    "paginate": lambda client, id: client.paginate(f"/v2/teams/{{teamId}}/{id}/x"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_id_that_cannot_be_a_segment_of_a_path_is_refused_and_nothing_is_sent(
    fake_api: FakeAPI, connect: Connect, call: Callable[[duvo.Client, str], Any]
) -> None:
    # Without a team, which would have to be looked up.
    client = connect(api_key=KEY, base_url=fake_api.base_url)
    for no_id in NO_IDS:
        with pytest.raises(duvo.ConfigError, match=r"cannot be|is empty|empty segment"):
            call(client, no_id)
    assert fake_api.requests == []


@pytest.mark.parametrize("no_id", NO_IDS)
def test_a_team_that_cannot_be_a_segment_of_a_path_is_refused(connect: Connect, no_id: str) -> None:
    with pytest.raises(duvo.ConfigError, match="team"):
        connect(api_key=KEY, team_id=no_id)


@pytest.mark.parametrize("no_id", [".", ".."])
def test_dots_as_the_team_of_the_environment_are_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, no_id: str
) -> None:
    monkeypatch.setenv("DUVO_TEAM_ID", no_id)
    with pytest.raises(duvo.ConfigError, match="cannot be the id of the team"):
        connect(api_key=KEY)


@pytest.mark.parametrize("path", ["/v2/%2e%2E/x", "/v2/a/.%2e", "/v2/x%00", "/v2/./x?y=1"])
def test_escaped_dots_and_nul_in_a_path_are_refused(
    fake_api: FakeAPI, client: duvo.Client, path: str
) -> None:
    with pytest.raises(duvo.ConfigError, match="cannot be sent"):
        client.request("GET", path)
    assert fake_api.requests == []


@pytest.mark.parametrize(
    "run_id", ["a/b", "a?b=c", "a#b", "a b", "a%2Fb", "ä", "...", "a\nb", "~&+"]
)
def test_other_characters_of_an_id_are_escaped(
    fake_api: FakeAPI, client: duvo.Client, run_id: str
) -> None:
    with pytest.raises(duvo.NotFound):
        client.runs.get(run_id)
    segment = fake_api.requests[0].target.removeprefix("/v2/runs/")
    assert "/" not in segment
    assert unquote(segment) == run_id


@pytest.mark.parametrize(
    "path",
    [
        "/v2/teams/{teamId}/files/content/a b/ä.txt",
        "/v2/x/%41%2f%c3%a4%/y#z",
        "/v2/x'\"<>[]\\^`{|}~!$&()*+,;=:@",
        "/v2/x?search=a b&c=%41#d&e[]=ä",
        "/v2/agents/",
    ],
)
def test_the_log_shows_the_path_and_the_query_as_they_were_sent(
    fake_api: FakeAPI, client: duvo.Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="duvo")
    with pytest.raises(duvo.NotFound):
        client.request("GET", path)
    sent = fake_api.requests[0].target
    assert caplog.records[0].getMessage().startswith(f"GET {sent} -> 404 in ")
    assert unquote(sent) == unquote(path).replace("{teamId}", TEAM)


def test_the_log_shows_the_parameters_of_a_request(
    fake_api: FakeAPI, client: duvo.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="duvo")
    client.request("GET", "/v2/teams", params={"search": "a b/ä"})
    assert caplog.records[0].getMessage().startswith(f"GET {fake_api.requests[0].target} -> 200")
