"""The blocking transport: the key, redirects, sessions, and what is logged."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import urllib3.connection
import urllib3.connectionpool

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest, serving
from tests.support.clients import Connect


@pytest.mark.blocking_only
def test_a_password_in_netrc_does_not_replace_the_key(
    fake_api: FakeAPI, client: duvo.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.runs.get(fake_api.start())
    with duvo.Client(
        api_key=KEY, base_url=fake_api.base_url, team_id=TEAM, session=requests.Session()
    ) as own:
        own.runs.get(fake_api.start())
    assert [one.headers["authorization"] for one in fake_api.requests] == [f"Bearer {KEY}"] * 2


def test_every_read_has_the_same_headers_and_a_path_of_its_own(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_ids = [fake_api.start() for _ in range(3)]
    for run_id in run_ids:
        client.runs.get(run_id)
    client.request("GET", "/v2/teams", params={"search": "a b"})
    targets = [one.target for one in fake_api.requests]
    assert targets == [*(f"/v2/runs/{run_id}" for run_id in run_ids), "/v2/teams?search=a+b"]
    assert all(one.headers == fake_api.requests[0].headers for one in fake_api.requests)


def test_a_cookie_is_sent_back_with_reads_and_changes(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    client.runs.get(run_id)
    fake_api.headers["set-cookie"] = "server=3; Path=/"
    client.runs.get(run_id)
    fake_api.headers["set-cookie"] = "server=4; Path=/"
    client.runs.get(run_id)
    client.runs.start(AGENT)
    sent = [one.headers.get("cookie") for one in fake_api.requests]
    assert sent == [None, None, "server=3", "server=4"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_method_body_and_key(
    fake_api: FakeAPI, client: duvo.Client, status: int
) -> None:
    def moved(seen: ReceivedRequest) -> Any:
        if seen.path.startswith("/v2/teams/"):
            return status, b"", {"location": "/elsewhere"}
        return 201, {"run": fake_api.runs[fake_api.start()]}

    fake_api.before = moved
    client.runs.start(AGENT, message="go")
    first, second = fake_api.requests
    assert (second.method, second.path) == ("POST", "/elsewhere")
    assert second.body == first.body
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]


def test_the_key_never_goes_to_another_host(fake_api: FakeAPI, client: duvo.Client) -> None:
    with serving(FakeAPI()) as other:
        target = other.base_url.replace("127.0.0.1", "localhost") + "/v2/x"
        fake_api.before = lambda seen: (308, b"", {"location": target})
        with pytest.raises(duvo.ConfigError, match="which is another host"):
            client.runs.get(fake_api.start())
        assert other.requests == []


def test_endless_redirects_are_an_error(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.before = lambda seen: (308, b"", {"location": "/again"})
    with pytest.raises(duvo.ConfigError, match="more than 5 times"):
        client.runs.get(fake_api.start())


def test_every_request_names_the_client(fake_api: FakeAPI, connect: Connect) -> None:
    connect(api_key=KEY, base_url=fake_api.base_url, user_agent="nightly/2").teams.list()
    assert fake_api.requests[0].headers["user-agent"] == f"nightly/2 duvo-python/{duvo.__version__}"


def test_a_callers_session_is_used_and_left_as_it_was(fake_api: FakeAPI) -> None:
    session = requests.Session()
    session.headers["X-Mine"] = "yes"
    before = (dict(session.headers), session.auth, dict(session.adapters), session.verify)
    with duvo.Client(api_key=KEY, base_url=fake_api.base_url, session=session) as client:
        client.teams.list()
    after = (dict(session.headers), session.auth, dict(session.adapters), session.verify)
    assert before == after
    assert session.trust_env is True
    assert fake_api.requests[0].headers["x-mine"] == "yes"
    session.close()


@responses.activate
def test_a_program_can_be_tested_with_mocked_responses() -> None:
    responses.get("https://api.duvo.ai/v2/teams", json={"teams": []})
    with duvo.Client(api_key="dv_x") as client:
        assert client.teams.list() == []


@pytest.mark.blocking_only
@pytest.mark.parametrize("made", ["before", "while"])
def test_a_recorder_that_replaces_urllib3s_connections_sees_every_request(
    fake_api: FakeAPI, client: duvo.Client, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    recorded: list[str] = []

    class Recorder(urllib3.connection.HTTPConnection):  # as vcrpy does
        def request(self, method: str, url: str, *args: Any, **rest: Any) -> None:
            recorded.append(f"{method} {url}")
            super().request(method, url, *args, **rest)

    run_id = fake_api.start()
    fake_api.end(run_id)
    if made == "before":
        client.runs.get(run_id)
        client.close()
    with monkeypatch.context() as recording:
        pool: Any = urllib3.connectionpool.HTTPConnectionPool
        recording.setattr(pool, "ConnectionCls", Recorder)
        client.runs.run(run_id).wait(timeout=20)
        client.runs.start(AGENT)
    sent = [f"{one.method} {one.target}" for one in fake_api.requests]
    assert recorded == sent[-len(recorded) :]
    assert len(recorded) == 3
    client.close()
    client.runs.get(run_id)
    assert len(recorded) == 3


def test_threads_share_a_client(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(client.runs.get(run_id).status))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["running"] * 8


def test_the_team_is_read_once(fake_api: FakeAPI, connect: Connect) -> None:
    client = connect(api_key=KEY, base_url=fake_api.base_url)
    threads = [threading.Thread(target=lambda: client.team_id) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.team_id == TEAM
    assert len(fake_api.requests) == 1


def test_a_choice_of_several_teams_is_an_error_that_lists_them(
    fake_api: FakeAPI, connect: Connect
) -> None:
    fake_api.teams.append({"id": "other", "name": "Sales", "organization_id": None})
    client = connect(api_key=KEY, base_url=fake_api.base_url)
    with pytest.raises(duvo.ConfigError, match=r"2 teams.*Finance.*Sales"):
        _ = client.team_id


def test_requests_are_logged_without_the_key(
    fake_api: FakeAPI, client: duvo.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run_id = fake_api.start()
    client.runs.get(run_id)
    fake_api.before = lambda seen: (401, {"error": f"bad key {KEY}"})
    with pytest.raises(duvo.AuthenticationError) as caught:
        client.runs.get(run_id)
    ours = [one.getMessage() for one in caplog.records if one.name == "duvo"]
    assert ours[0].startswith(f"GET /v2/runs/{run_id} -> 200 in ")
    assert "request id req-1" in ours[0]
    assert KEY not in caplog.text
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert KEY not in repr(client.settings) + repr(client)


@pytest.mark.blocking_only
def test_runs_and_messages_can_be_pickled(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "hello")
    fake_api.ask(run_id)
    run = client.runs.get(run_id)
    again = pickle.loads(pickle.dumps(run))
    assert again == run
    assert again.status == "waiting"
    assert again.refresh().pending_request == run.pending_request
    for message in run.messages():
        assert pickle.loads(pickle.dumps(message)) == message


@pytest.mark.blocking_only
def test_a_copy_of_a_run_does_not_change_with_it(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    run = client.runs.get(run_id)
    before = copy.copy(run)
    fake_api.end(run_id)
    assert (run.refresh().status, before.status) == ("completed", "running")


def test_attributes_of_a_run_that_has_not_been_read_raise_and_send_nothing(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    run = client.runs.run(run_id)
    assert repr(run) == f"<Run {run_id} (not loaded)>"
    assert "not loaded" in run._repr_html_()
    assert bool(run) and run == client.runs.run(run_id) and hash(run) == hash(run_id)
    for name in ("status", "created_at", "pending_request", "raw", "is_finished"):
        with pytest.raises(duvo.NotLoaded, match=r"\.refresh\(\)"):
            getattr(run, name)
    assert not hasattr(run, "status")
    assert fake_api.requests == []


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("https://api.duvo.ai/v2", "without a path such as '/v2'"),
        ("https://api.duvo.ai/v1/", "without a path"),
        ("api.duvo.ai", "must look like"),
        ("ftp://api.duvo.ai", "must look like"),
        ("https://user:secret@api.duvo.ai", "user name or password"),
        ("https://api.duvo.ai:port", "is not a URL"),
    ],
)
def test_an_invalid_base_url_is_refused_at_once(connect: Connect, base_url: str, says: str) -> None:
    with pytest.raises(duvo.ConfigError, match=says) as caught:
        connect(api_key="x", base_url=base_url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("api_key", ["a b", "line\nbreak", "ключ", "  "])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(
    connect: Connect, api_key: str
) -> None:
    with pytest.raises(duvo.ConfigError) as caught:
        connect(api_key=api_key)
    assert api_key not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_timeout_that_is_not_positive_and_finite_is_refused(
    connect: Connect, timeout: float
) -> None:
    with pytest.raises(duvo.ConfigError, match="timeout"):
        connect(api_key="x", timeout=timeout)


def test_a_null_run_is_not_found(fake_api: FakeAPI, client: duvo.Client) -> None:
    fake_api.before = lambda seen: (200, {"run": None})
    with pytest.raises(duvo.NotFound, match="another team"):
        client.runs.get(fake_api.start())


def test_an_id_that_is_not_a_uuid_is_not_found(fake_api: FakeAPI, client: duvo.Client) -> None:
    with pytest.raises(duvo.NotFound, match="'abc' is not a run id"):
        client.runs.get("abc")


@pytest.mark.blocking_only
def test_the_blocking_client_works_inside_a_running_event_loop(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "hello")
    fake_api.end(run_id)

    async def in_a_notebook_cell() -> list[str]:
        return [message.content for message in client.runs.run(run_id).messages(follow=True)]

    assert asyncio.run(in_a_notebook_cell()) == ["hello"]
