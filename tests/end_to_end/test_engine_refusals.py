"""Requests that the engine refuses: HTTP status and message."""

from __future__ import annotations

import json
import logging
import random
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sqlalchemy.exc

from duvo.local import Server
from tests.servers.engine_api import EngineAPI, wait_until

NOBODY = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
def api() -> Iterator[EngineAPI]:
    """A running engine with the examples."""
    with Server(port=0) as server:
        api = EngineAPI.of(server)
        yield api
        api.close()


@pytest.fixture(scope="module")
def waiting(api: EngineAPI) -> tuple[str, str]:
    """A run that waits for answers, and its human request."""
    run_id = api.start("Travel booker")
    return run_id, api.wait_for_request(run_id)["id"]


def refused(api: EngineAPI, status: int, method: str, path: str, **arguments: Any) -> str:
    """Check that the request is refused with that status, and return the message."""
    response = api.send(method, path, **arguments)
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error", "message"}
    assert body["error"].replace("_", "").isalpha()
    return str(body["message"])


def test_a_missing_or_wrong_key_is_401(api: EngineAPI) -> None:
    key = api.session.headers["Authorization"]
    for wrong in ("", "Bearer", "Bearer x", f"{key}x", f"Basic {key[7:]}", "Bearer \xe9"):
        headers = {"Authorization": wrong.encode("latin-1")}
        assert "key" in refused(api, 401, "GET", "/v2/teams", headers=headers)
        assert refused(api, 401, "GET", "/v2/nowhere", headers=headers)


def test_a_host_that_is_not_loopback_is_403(api: EngineAPI) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "[", "evil@x", ""):
        assert "loopback" in refused(api, 403, "GET", "/v2/teams", headers={"Host": host})
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:7411"):
        assert api.send("GET", "/v2/teams", headers={"Host": host}).status_code == 200


def test_a_browser_gets_a_page_without_a_key_and_without_secrets(api: EngineAPI) -> None:
    page = requests.get(f"{api.base_url}/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "duvo runs start" in page.text
    assert str(api.session.headers["Authorization"]).removeprefix("Bearer ") not in page.text
    # Not for a host name that a web page has given to this machine.
    assert requests.get(f"{api.base_url}/", headers={"Host": "evil.example"}).status_code == 403
    assert requests.post(f"{api.base_url}/").status_code == 405


def test_a_foreign_origin_is_403(api: EngineAPI) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        assert "origin" in refused(api, 403, "GET", "/v2/teams", headers={"Origin": origin})
    for origin in ("http://localhost:3000", "http://127.0.0.1:8080"):
        assert api.send("GET", "/v2/teams", headers={"Origin": origin}).status_code == 200


def test_an_unknown_path_run_agent_team_or_request_is_404(
    api: EngineAPI, waiting: tuple[str, str]
) -> None:
    run_id, request_id = waiting
    for method, path in (
        ("GET", "/v2/nowhere"),
        ("GET", "/v2/runs/"),
        ("GET", "/v2/teams/"),
        ("GET", f"/v2/runs/{NOBODY}"),
        ("GET", f"/v2/runs/{NOBODY}?wait=5"),
        ("GET", f"/v2/runs/{NOBODY}/messages?wait=5"),
        ("POST", f"/v2/runs/{NOBODY}/stop"),
        ("GET", f"/v2/agents/{NOBODY}"),
        ("GET", f"/v2/teams/{NOBODY}/runs"),
        ("GET", f"/v2/teams/{NOBODY}/agents"),
    ):
        assert "there is no" in refused(api, 404, method, path)
    message = {"message": "hello"}
    refused(api, 404, "POST", f"/v2/runs/{NOBODY}/messages", json=message)
    refused(api, 404, "POST", f"/v2/teams/{api.team}/runs", json={"agent_id": NOBODY})
    refused(api, 404, "POST", f"/v2/teams/{NOBODY}/runs", json={"agent_id": NOBODY})
    path = f"/v2/runs/{run_id}/human-requests/{NOBODY}/respond"
    refused(api, 404, "POST", path, json={"approved": True})
    path = f"/v2/runs/{NOBODY}/human-requests/{request_id}/respond"
    refused(api, 404, "POST", path, json={"approved": True})


def test_an_id_that_is_not_a_uuid_is_400(api: EngineAPI) -> None:
    for text in ("x", "1", "%00", "%ff", "%F0%9F%92%A9", "a" * 3000, f"{{{NOBODY}}}"):
        assert "must be a UUID" in refused(api, 400, "GET", f"/v2/runs/{text}")
        assert "must be a UUID" in refused(api, 400, "GET", f"/v2/agents/{text}")
        refused(api, 400, "POST", f"/v2/runs/{text}/stop")


def test_an_id_in_upper_case_is_the_same_id(api: EngineAPI, waiting: tuple[str, str]) -> None:
    assert api.run(waiting[0].upper()) == api.run(waiting[0])


def test_an_unsupported_method_is_405(api: EngineAPI) -> None:
    for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "BREW"):
        assert method in refused(api, 405, method, "/v2/teams")
    refused(api, 405, "POST", "/v2/profile")
    refused(api, 405, "GET", f"/v2/runs/{NOBODY}/stop")


@pytest.mark.parametrize("value", ["0", "-1", "1e400", "9e99", "ten", "", "1.5", "٣", "9" * 400])
def test_a_limit_or_offset_out_of_range_is_400(
    api: EngineAPI, waiting: tuple[str, str], value: str
) -> None:
    for path in (f"/v2/runs/{waiting[0]}/messages", f"/v2/teams/{api.team}/runs"):
        assert "limit must be" in refused(api, 400, "GET", path, params={"limit": value})
        if value != "0":
            assert "offset must be" in refused(api, 400, "GET", path, params={"offset": value})


def test_a_page_has_at_most_50_messages_or_100_runs(
    api: EngineAPI, waiting: tuple[str, str]
) -> None:
    refused(api, 400, "GET", f"/v2/runs/{waiting[0]}/messages?limit=51")
    refused(api, 400, "GET", f"/v2/teams/{api.team}/runs?limit=101")
    assert api.get(f"/v2/runs/{waiting[0]}/messages?limit=50&offset=9007199254740991")
    refused(api, 400, "GET", f"/v2/runs/{waiting[0]}/messages?offset=9007199254740992")


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "sort_order=up",
        "sort_by=title",
        "agent_id=x",
        "since=yesterday",
        "since=0000-00-00",
        "until=yesterday",
        "created_since=yesterday",
        "search=%00",
        "search=a&search=b",
        "has_issues=maybe",
        "issue_severity=bad",
    ],
)
def test_an_invalid_filter_is_400(api: EngineAPI, query: str) -> None:
    refused(api, 400, "GET", f"/v2/teams/{api.team}/runs?{query}")


def test_a_search_has_at_most_1000_characters_and_no_wildcards(api: EngineAPI) -> None:
    path = f"/v2/teams/{api.team}/runs"
    for length in (1001, 60_000):
        assert "1000" in refused(api, 400, "GET", path, params={"search": "x" * length})
    assert api.get(path, params={"search": "\U0001f4a9" * 1000})["total"] == 0
    run_id = api.start("Talker", r"half_done 50% of C:\temp/x")
    for literal in ("half_d", "50% of", r"C:\t", "p/x", "HALF_"):
        found = api.get(path, params={"search": literal})["data"]
        assert [run["id"] for run in found] == [run_id], literal
    for pattern in ("half%done", "half.done", "5_%", "C:_temp", r"half\_done"):
        assert api.get(path, params={"search": pattern})["total"] == 0, pattern


def of_requests(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was logged about requests, without the events of earlier tests' runs."""
    return [record for record in caplog.records if record.name == "duvo.local"]


def test_an_unexpected_error_is_500_and_logged_in_one_line(
    api: EngineAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("two\nlines")

    caplog.set_level(logging.INFO, "duvo.local")
    for place in ("_store.shapes.team", "_api.guard.Guard._check_origin"):
        with monkeypatch.context() as patch:
            patch.setattr(f"duvo.local.{place}", fail)
            assert "log" in refused(api, 500, "GET", "/v2/teams")
        wait_until(lambda: bool(of_requests(caplog)), 30, "nothing was logged")
        (record,) = of_requests(caplog)
        assert record.getMessage() == "GET /v2/teams: RuntimeError: two lines"
        assert record.exc_info is None
        caplog.clear()
    caplog.set_level(logging.DEBUG, "duvo.local")
    with monkeypatch.context() as patch:
        patch.setattr("duvo.local._store.shapes.team", fail)
        refused(api, 500, "GET", "/v2/teams")
    wait_until(lambda: len(of_requests(caplog)) == 2, 30, "no traceback was logged")
    assert of_requests(caplog)[1].exc_info is not None


def test_a_database_error_is_500_and_logged_without_the_statement(
    api: EngineAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("disk\nI/O error"))

    monkeypatch.setattr("duvo.local._store.shapes.team", fail)
    assert "database" in refused(api, 500, "GET", "/v2/teams")
    assert [record.getMessage() for record in of_requests(caplog)] == [
        "GET /v2/teams: the database failed: disk I/O error"
    ]


def test_a_wait_that_is_not_a_time_is_400(api: EngineAPI, waiting: tuple[str, str]) -> None:
    for value in ("-1", "nan", "soon", "-inf"):
        refused(api, 400, "GET", f"/v2/runs/{waiting[0]}?wait={value}")
        refused(api, 400, "GET", f"/v2/runs/{waiting[0]}/messages?wait={value}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"message": NaN}',
        b'{"message": 1}',
        b'{"message": ""}',
        b'{"message": null}',
        b'{"message": ["a"]}',
        b'{"message": "nul \\u0000"}',
        b'{"message": "half \\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_an_invalid_body_is_400(api: EngineAPI, waiting: tuple[str, str], body: bytes) -> None:
    refused(api, 400, "POST", f"/v2/runs/{waiting[0]}/messages", data=body)
    refused(api, 400, "POST", f"/v2/teams/{api.team}/runs", data=body)


def test_a_start_without_an_agent_or_with_invalid_fields_is_400(api: EngineAPI) -> None:
    path = f"/v2/teams/{api.team}/runs"
    agent_id = api.agent_id("Talker")
    for body in (
        {},
        {"agent_id": "Talker"},
        {"agent_id": 5},
        {"agent_id": agent_id, "message": 5},
        {"agent_id": agent_id, "message": "\0"},
        {"agent_id": agent_id, "sandbox_id": []},
        {"agent_id": agent_id, "webhook_url": "not a url"},
    ):
        refused(api, 400, "POST", path, json=body)


def test_a_body_over_10_megabytes_is_413(api: EngineAPI, waiting: tuple[str, str]) -> None:
    path = f"/v2/runs/{waiting[0]}/messages"
    large = json.dumps({"message": "x" * (10 * 1024 * 1024)}).encode()
    assert "10 MB" in refused(api, 413, "POST", path, data=large)
    # A generator is sent in chunks, without a length.
    chunks = (large[start : start + 65536] for start in range(0, len(large), 65536))
    assert "10 MB" in refused(api, 413, "POST", path, data=chunks)
    assert api.get("/v2/teams")


def test_a_reply_that_does_not_fit_is_422_and_leaves_the_request_pending(
    api: EngineAPI, waiting: tuple[str, str]
) -> None:
    run_id, request_id = waiting
    path = f"/v2/runs/{run_id}/human-requests/{request_id}/respond"
    where, what = (q["question"] for q in api.wait_for_request(run_id)["questions"])
    unfit: list[dict[str, Any]] = [
        {},
        {"approved": True},
        {"answers": {}},
        {"answers": {where: "Prague"}},
        {"answers": {where: "Prague", what: "hotel", "Who?": "me"}},
        {"answers": {where: "Prague", what: "hotel"}, "approved": True},
    ]
    for body in unfit:
        refused(api, 422, "POST", path, json=body)
    odd: list[dict[str, Any]] = [
        {"answers": [where]},
        {"answers": {where: 1, what: "hotel"}},
        {"answers": {where: "\0", what: "hotel"}},
        {"answers": {where: "\ud800", what: "hotel"}},
        {"approved": "yes"},
    ]
    for body in odd:
        refused(api, 400, "POST", path, json=body)
    assert api.run(run_id)["pending_human_request"]["id"] == request_id
    approver = api.start("Invoice approver")
    request = api.wait_for_request(approver)
    path = f"/v2/runs/{approver}/human-requests/{request['id']}/respond"
    assert "approval" in refused(api, 422, "POST", path, json={"answers": {"a": "b"}})


def test_a_reply_to_an_answered_request_is_409(api: EngineAPI) -> None:
    run_id = api.start("Invoice approver")
    request_id = api.wait_for_request(run_id)["id"]
    api.respond(run_id, request_id, approved=False)
    path = f"/v2/runs/{run_id}/human-requests/{request_id}/respond"
    assert "answered already" in refused(api, 409, "POST", path, json={"approved": True})
    api.wait_for_end(run_id)
    refused(api, 409, "POST", path, json={"approved": True})


@pytest.mark.long
def test_random_requests_never_get_a_5xx(api: EngineAPI, waiting: tuple[str, str]) -> None:
    chance = random.Random(7)
    run_id, request_id = waiting
    pieces = [
        *("v2", "runs", "teams", "agents", "messages", "stop", "human-requests", "respond"),
        *(run_id, request_id, api.team, NOBODY, "%00", "%2e%2e", "..", "", "%ff", "é", "\u2028"),
    ]
    values: list[Any] = [
        *(None, True, 0, -1, 1e308, "", "\0", "\ud800", "x" * 5000, [], {}, [[]], {"": ""}),
        *({"a": None}, 10**400),
    ]
    names = ["agent_id", "message", "answers", "approved", "sandbox_id", "webhook_url", ""]
    queries = ["limit", "offset", "wait", "status", "since", "until", "created_since"]
    queries += ["search", "agent_id", "seen_request"]
    for _ in range(400):
        path = "/v2/" + "/".join(chance.choices(pieces, k=chance.randint(1, 5)))
        if chance.random() < 0.5:
            path = chance.choice(
                [
                    f"/v2/teams/{api.team}/runs",
                    f"/v2/runs/{run_id}/messages",
                    f"/v2/runs/{run_id}/human-requests/{request_id}/respond",
                    f"/v2/runs/{run_id}",
                ]
            )
        query = [
            (chance.choice(queries), chance.choice(["0", "-1", "\0", "é", "1e9", "", "0x1", "[]"]))
            for _ in range(chance.randint(0, 2))
        ]
        body = {name: chance.choice(values) for name in chance.sample(names, k=2)}
        response = api.send(
            chance.choice(["GET", "POST", "PUT"]), path, params=query, data=json.dumps(body)
        )
        assert response.status_code < 500, f"{response.request.method} {path} {query} {body}"
        if response.status_code >= 400:
            assert set(response.json()) == {"error", "message"}
    assert api.run(run_id)["pending_human_request"]["id"] == request_id


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /v2/teams HTTP/1.1\r\n\r\n",
        b"GET /v2/teams HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v2/teams HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
)
def test_malformed_http_is_refused_and_the_next_request_is_answered(
    api: EngineAPI, raw: bytes
) -> None:
    port = int(api.base_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(raw)
        assert connection.recv(100).split()[1][:1] == b"4"
    assert api.get("/v2/teams")
