"""Responses have exactly the hosted API's shapes, and the headers that the engine adds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from duvo.local import Server
from tests.servers.engine_api import EngineAPI

DESCRIPTION = Path(__file__).parents[3] / "shared" / "contract" / "duvo-openapi-v2.json"


@pytest.fixture(scope="module")
def api() -> Iterator[EngineAPI]:
    """A running engine with the examples."""
    with Server(port=0) as server:
        api = EngineAPI.of(server)
        yield api
        api.close()


@cache
def description() -> dict[str, Any]:
    if not DESCRIPTION.exists():
        pytest.skip("the API description is not available")
    made = json.loads(DESCRIPTION.read_text())
    assert isinstance(made, dict)
    return made


def check(response: requests.Response) -> Any:
    """Validate the response against the API description, and return its JSON."""
    path = urlsplit(response.url).path
    method = (response.request.method or "").lower()
    for template, methods in description()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if method in methods and re.fullmatch(pattern, path):
            break
    else:
        raise AssertionError(f"{method} {path} is not described")
    responses = methods[method]["responses"]
    status = str(response.status_code)
    assert status in responses, f"{status} is not described"
    schema = responses[status]["content"]["application/json"]["schema"]
    made = response.json()
    validator = OAS30Validator(schema, format_checker=oas30_format_checker)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(made)] == []
    return made


def test_a_field_that_is_not_in_the_api_description_fails_the_check(api: EngineAPI) -> None:
    response = api.send("GET", "/v2/teams")
    broken = json.loads(response.content)
    broken["teams"][0]["surprise"] = 1
    response._content = json.dumps(broken).encode()
    with pytest.raises(AssertionError, match="surprise"):
        check(response)


def test_teams_profile_and_agents_have_the_hosted_shapes(api: EngineAPI) -> None:
    teams = check(api.send("GET", "/v2/teams"))["teams"]
    assert [team["id"] for team in teams] == [api.team]
    assert check(api.send("GET", "/v2/profile"))["profile"]["teamId"] == api.team
    page = check(api.send("GET", f"/v2/teams/{api.team}/agents?limit=2&offset=1"))
    assert (page["total"], page["limit"], page["offset"], len(page["agents"])) == (5, 2, 1, 2)
    item = page["agents"][0]
    agent = check(api.send("GET", f"/v2/agents/{item['id']}"))["agent"]
    assert agent["name"] == item["name"] == "Invoice approver"


def test_a_run_from_start_to_stop_has_the_hosted_shapes(api: EngineAPI) -> None:
    body = {
        "agent_id": api.agent_id("Travel booker"),
        "message": "Somewhere\nnice",
        "sandbox_id": "box-1",
        "webhook_url": "https://example.invalid/hook",
    }
    started = api.send("POST", f"/v2/teams/{api.team}/runs", json=body)
    assert started.status_code == 201
    run = check(started)["run"]
    assert (run["status"], run["sandbox_id"], run["source"]) == ("pending", "box-1", "api")
    request = api.wait_for_request(run["id"])
    waiting = check(api.send("GET", f"/v2/runs/{run['id']}"))
    assert waiting["pending_human_request"]["questions"][1]["multi_select"] is True
    answers = {question["question"]: "Prague" for question in request["questions"]}
    path = f"/v2/runs/{run['id']}/human-requests/{request['id']}/respond"
    reply = check(api.send("POST", path, json={"answers": answers}))["human_request"]
    assert (reply["id"], reply["run_id"]) == (request["id"], run["id"])
    assert json.loads(reply["response"]) == answers
    api.wait_for_end(run["id"])
    ended = check(api.send("GET", f"/v2/runs/{run['id']}"))
    assert ended["run"]["status"] == "completed"
    page = check(api.send("GET", f"/v2/runs/{run['id']}/messages?limit=50"))
    assert page["total"] == len(page["messages"]) == 6
    posted = check(api.send("POST", f"/v2/runs/{run['id']}/messages", json={"message": "again"}))
    assert posted["message"]["text_content"] == "again"
    api.wait_for_request(run["id"])
    assert check(api.send("POST", f"/v2/runs/{run['id']}/stop")) == {"success": True}
    assert check(api.send("GET", f"/v2/runs/{run['id']}"))["run"]["status"] == "interrupted"
    listed = check(api.send("GET", f"/v2/teams/{api.team}/runs?search=somewhere"))
    assert listed["total"] == 1
    assert listed["data"][0]["title"] == "Somewhere"
    assert listed["data"][0]["submitted_prompt_count"] == 2


def test_an_approval_and_a_failed_run_have_the_hosted_shapes(api: EngineAPI) -> None:
    run_id = api.start("Invoice approver")
    request = api.wait_for_request(run_id)
    check(api.send("GET", f"/v2/runs/{run_id}"))
    path = f"/v2/runs/{run_id}/human-requests/{request['id']}/respond"
    assert check(api.send("POST", path, json={"approved": False}))
    api.wait_for_end(run_id)
    check(api.send("GET", f"/v2/runs/{run_id}/messages?limit=50"))
    failed = api.start("Failing")
    api.wait_for_end(failed)
    check(api.send("GET", f"/v2/runs/{failed}"))
    check(api.send("GET", f"/v2/runs/{failed}/messages"))


def test_every_filter_narrows_the_list_of_runs(api: EngineAPI) -> None:
    done = api.start("Talker", "A 100%_sure thing")
    api.wait_for_end(done)
    waiting = api.start("Invoice approver", "Wait for me")
    api.wait_for_request(waiting)
    stopped = api.start("Endless worker", "Work")
    api.stop(stopped)

    def found(**filters: str) -> list[str]:
        page = check(api.send("GET", f"/v2/teams/{api.team}/runs?limit=100", params=filters))
        assert page["total"] == len(page["data"])
        return [run["id"] for run in page["data"]]

    assert found()[:3] == [stopped, waiting, done]
    assert found(sort_order="asc")[-3:] == [done, waiting, stopped]
    assert done in found(status="completed")
    assert stopped in found(status="stopped") == found(status="interrupted")
    assert waiting in found(status="needs_attention") == found(status="waiting")
    assert found(status="not_started") == []
    assert waiting in found(agent_id=api.agent_id("Invoice approver"))
    assert done not in found(agent_id=api.agent_id("Invoice approver"))
    assert found(search="100%_SURE") == [done]
    assert found(search="100%x") == []
    assert waiting in found(search="invoice APPROVER")
    assert found(source="api") == found()
    assert found(source="schedule") == []
    profile = api.get("/v2/profile")["profile"]
    assert found(user_id=profile["id"]) == found()
    assert found(user_id=api.team) == []
    assert found(case_queue_id=api.team) == []
    assert found(has_issues="true") == []
    assert found(has_issues="false") == found()
    created = api.run(waiting)["run"]["created_at"]
    assert set(found(created_since=created)) == {waiting, stopped}
    assert found(created_since=created.replace("Z", "+00:00")) == found(created_since=created)
    assert found(created_since="2999-01-01") == []


def test_since_and_until_bound_the_time_of_completion(api: EngineAPI) -> None:
    first, second = api.start("Talker", "first"), api.start("Talker", "second")
    waiting = api.start("Invoice approver", "Wait for me")
    api.wait_for_request(waiting)
    ends = sorted(
        (api.wait_for_end(run_id)["run"]["completed_at"], run_id) for run_id in (first, second)
    )

    def found(**filters: str) -> set[str]:
        page = check(api.send("GET", f"/v2/teams/{api.team}/runs?limit=100", params=filters))
        assert page["total"] == len(page["data"])
        return {run["id"] for run in page["data"]} & {first, second, waiting}

    (begin, _), (end, last) = ends
    assert found(since=begin) == found(since=begin, until=end) == {first, second}
    assert found(since=f"{end[:-1]}001Z") == set()
    assert last in found(until=f"{end[:-1]}001Z")
    assert last in found(since=end)
    assert found(until="2026-01-01") == set()


def test_a_run_that_works_again_is_not_listed_by_its_earlier_completion(api: EngineAPI) -> None:
    run_id = api.start("Endless worker", "Work")

    def is_listed() -> bool:
        found = api.get(f"/v2/teams/{api.team}/runs?limit=100&since=2026-01-01")
        return run_id in [run["id"] for run in found["data"]]

    assert not is_listed()
    api.stop(run_id)
    assert is_listed()
    api.say(run_id, "Go on")
    assert not is_listed()
    api.stop(run_id)


def test_pages_of_a_list_have_no_gap_and_no_overlap(api: EngineAPI) -> None:
    for number in range(3):
        api.start("Talker", f"run {number}")
    path = f"/v2/teams/{api.team}/runs"
    whole = api.get(f"{path}?limit=100")
    pages = [api.get(f"{path}?limit=1&offset={offset}") for offset in range(whole["total"])]
    assert [page["data"][0]["id"] for page in pages] == [run["id"] for run in whole["data"]]
    beyond = api.get(f"{path}?offset=9007199254740991")
    assert (beyond["data"], beyond["total"]) == ([], whole["total"])


def test_every_response_announces_what_the_engine_adds(api: EngineAPI) -> None:
    paths = ["/v2/teams", "/v2/nowhere", "/v2/runs/x", "/"]
    responses = [api.send("GET", path) for path in paths]
    responses.append(api.send("GET", "/v2/teams", headers={"Authorization": "Bearer no"}))
    assert [response.status_code for response in responses] == [200, 404, 400, 200, 401]
    for response in responses:
        assert response.headers["Duvo-Idempotency"] == "honoured"
        assert response.headers["Duvo-Long-Poll"] == "25"
        assert response.headers["Duvo-Created-Since"] == "honoured"
        assert not [name for name in response.headers if "ratelimit" in name.lower()]
    assert len({response.headers["x-request-id"] for response in responses}) == len(responses)
