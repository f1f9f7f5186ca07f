"""Pages of HTML in place of the API: a wrong address at first, an outage later."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import duvo
from duvo import profiles
from duvo._settings import settings
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock

Call = Callable[[duvo.Client, str], Any]
PAGE = (200, b"<!doctype html><title>Sign in</title>", {"content-type": "text/html"})
WAITS: dict[str, Call] = {
    "wait": lambda client, run: client.runs.run(run).wait(),
    "follow": lambda client, run: list(client.runs.run(run).messages(follow=True)),
    "watch": lambda client, run: list(client.runs.watch([run])),
    "wait_all": lambda client, run: client.runs.wait_all([run]),
}
READS: dict[str, Call] = {
    "get": lambda client, run: client.runs.get(run),
    "list": lambda client, run: list(client.runs.list()),
    "messages": lambda client, run: list(client.runs.run(run).messages()),
    "last": lambda client, run: list(client.runs.run(run).messages(last=2)),
    "agents": lambda client, run: list(client.agents.list()),
    "request": lambda client, run: client.request("GET", "/v2/teams"),
}


@pytest.fixture
def clock() -> StoppedClock:
    """The clock of the clients, which passes only while they sleep."""
    return StoppedClock()


@pytest.fixture
def login_page(fake_api: FakeAPI) -> FakeAPI:
    """A server that answers everything with a login page."""
    fake_api.before = lambda seen: PAGE
    return fake_api


def connected(
    connect: Connect, server: FakeAPI, clock: StoppedClock, **options: Any
) -> duvo.Client:
    client = connect(api_key=KEY, base_url=server.base_url, team_id=TEAM, **options)
    client._driver.api.clock = clock
    return client


@pytest.mark.parametrize("name", [*WAITS, *READS])
def test_a_login_page_ends_every_call_within_seconds_and_names_the_base_url(
    connect: Connect, login_page: FakeAPI, clock: StoppedClock, name: str
) -> None:
    run_id = login_page.start()
    client = connected(connect, login_page, clock, max_retries=20)
    began = clock.time
    with pytest.raises(duvo.UnexpectedAnswer) as caught:
        (WAITS | READS)[name](client, run_id)
    assert caught.value.from_elsewhere
    assert login_page.base_url in str(caught.value)
    assert "the base URL comes from the argument base_url" in str(caught.value)
    assert 2 < clock.time - began < 6


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("max_retries", [0, 2])
def test_a_call_is_sent_as_often_as_retries_allow_and_no_more(
    connect: Connect, login_page: FakeAPI, clock: StoppedClock, name: str, max_retries: int
) -> None:
    run_id = login_page.start()
    for answer in (PAGE, (502, b"<p>", {"content-type": "text/html"}), (200, b'{"mess')):
        client = connected(connect, login_page, clock, max_retries=max_retries)
        login_page.requests.clear()
        login_page.before = lambda seen, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(duvo.DuvoError):
            READS[name](client, run_id)
        assert len(login_page.requests) == max_retries + 1


def test_contradicting_pages_are_read_as_often_as_retries_allow(
    connect: Connect, fake_api: FakeAPI, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (200, {"messages": [{"id": 1}], "total": 1})
    for max_retries in (0, 2):
        fake_api.requests.clear()
        client = connected(connect, fake_api, clock, max_retries=max_retries)
        with pytest.raises(duvo.UnexpectedAnswer):
            list(client.runs.run(run_id).messages())
        assert len(fake_api.requests) <= max_retries + 1


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("status", [200, 401, 503])
def test_login_pages_are_an_outage_once_any_json_came(
    connect: Connect, fake_api: FakeAPI, clock: StoppedClock, name: str, status: int
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    client = connected(connect, fake_api, clock, max_retries=0)
    fake_api.before = lambda seen: (status, {"error": "no"})
    try:
        client.request("GET", "/v2/x")
    except duvo.APIError as error:
        assert error.status == status
    up_at = clock.time + 60
    fake_api.before = lambda seen: PAGE if clock.time < up_at else None
    WAITS[name](client, run_id)
    assert clock.time >= up_at


@pytest.mark.parametrize(
    "answer",
    [(502, b"<p>", {"content-type": "text/html"}), (200, b""), (200, b'{"run": {"id"')],
    ids=["502", "empty", "cut"],
)
def test_an_outage_from_the_start_is_waited_out(
    connect: Connect, fake_api: FakeAPI, clock: StoppedClock, answer: Any
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    up_at = clock.time + 60
    fake_api.before = lambda seen: answer if clock.time < up_at else None
    client = connected(connect, fake_api, clock)
    assert client.runs.run(run_id).wait().status == "completed"


def test_a_response_without_a_body_does_not_show_the_api(
    connect: Connect, login_page: FakeAPI, clock: StoppedClock
) -> None:
    client = connected(connect, login_page, clock)
    login_page.before = lambda seen: (204, b"") if seen.method == "DELETE" else PAGE
    client.request("DELETE", "/v2/x")
    with pytest.raises(duvo.UnexpectedAnswer):
        client.runs.run("r").wait()
    assert clock.time < 1010


def test_a_login_page_leaves_the_outcome_of_a_change_unknown_and_names_the_base_url(
    login_page: FakeAPI, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_API_BASE_URL", login_page.base_url)
    client = connect(api_key=KEY, team_id=TEAM)
    with pytest.raises(duvo.OutcomeUnknown) as caught:
        client.runs.start(AGENT)
    assert login_page.base_url in str(caught.value)
    assert "comes from DUVO_API_BASE_URL" in str(caught.value)
    assert len(login_page.requests) == 1


def test_the_source_of_a_base_url_is_known() -> None:
    url = {"DUVO_API_BASE_URL": "https://a.example", "DUVO_API_KEY": KEY}
    assert settings.resolve(environ=url).base_url_source == "DUVO_API_BASE_URL"
    given = settings.resolve(base_url="https://b.example", environ=url)
    assert given.base_url_source == "the argument base_url"
    assert settings.resolve(KEY, environ={}).base_url_source == "the default"
    profiles.add("work", KEY, base_url="https://c.example")
    by_name = settings.resolve(profile="work", environ=url)
    assert by_name.base_url_source == "the profile 'work'"


@pytest.mark.long
def test_the_command_ends_at_a_login_page_with_exit_code_1(login_page: FakeAPI) -> None:
    done = subprocess.run(
        ["duvo", "runs", "wait", login_page.start()],
        env={
            **os.environ,
            "DUVO_API_KEY": KEY,
            "DUVO_API_BASE_URL": login_page.base_url,
            "DUVO_TEAM_ID": TEAM,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert login_page.base_url in done.stderr
    assert "comes from DUVO_API_BASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout or json.loads(done.stdout)
