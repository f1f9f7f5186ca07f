"""A request repeated with the same Idempotency-Key is executed once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from duvo.local import Server
from tests.servers.engine_api import EngineAPI


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    """A running engine with the examples."""
    with Server(port=0) as server:
        yield server


@pytest.fixture
def key() -> dict[str, str]:
    """The header of a new key."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def test_a_repeated_start_starts_one_run(api: EngineAPI, key: dict[str, str]) -> None:
    path = f"/v2/teams/{api.team}/runs"
    before = api.get(path)["total"]
    body = {"agent_id": api.agent_id("Talker")}
    first = api.post(path, body, status=201, headers=key)
    api.wait_for_end(first["run"]["id"])
    assert api.post(path, body, status=201, headers=key) == first
    assert api.get(path)["total"] == before + 1


def test_concurrent_starts_with_one_key_start_one_run(
    engine: Server, api: EngineAPI, key: dict[str, str]
) -> None:
    path = f"/v2/teams/{api.team}/runs"
    body = {"agent_id": api.agent_id("Talker")}

    def start(_: int) -> str:
        own = EngineAPI.of(engine)
        run_id = own.post(path, body, status=201, headers=key)["run"]["id"]
        own.close()
        return str(run_id)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(16)))) == 1


def test_a_repeated_message_reply_and_stop_take_effect_once(
    api: EngineAPI, key: dict[str, str]
) -> None:
    run_id = api.start("Talker")
    api.wait_for_end(run_id)
    path = f"/v2/runs/{run_id}/messages"
    message = {"message": "again"}
    first = api.post(path, message, status=201, headers=key)
    api.wait_for_end(run_id)
    assert api.post(path, message, status=201, headers=key) == first
    conversation = api.conversation(run_id)
    assert [message.get("text_content") for message in conversation].count("again") == 1

    run_id = api.start("Invoice approver")
    request_id = api.wait_for_request(run_id)["id"]
    path = f"/v2/runs/{run_id}/human-requests/{request_id}/respond"
    keys = {"Idempotency-Key": f"respond {uuid.uuid4()}"}
    first = api.post(path, {"approved": True}, headers=keys)
    api.wait_for_end(run_id)
    assert api.post(path, {"approved": True}, headers=keys) == first
    assert api.post(f"/v2/runs/{run_id}/stop", headers={"Idempotency-Key": str(uuid.uuid4())})


def test_a_key_used_with_another_request_is_422(api: EngineAPI, key: dict[str, str]) -> None:
    run_id = api.start("Talker")
    api.wait_for_end(run_id)
    path = f"/v2/runs/{run_id}/messages"
    api.post(path, {"message": "one"}, status=201, headers=key)
    refused = api.post(path, {"message": "two"}, status=422, headers=key)
    assert "another request" in refused["message"]
    api.post(f"/v2/runs/{run_id}/stop", status=422, headers=key)


def test_a_refused_request_does_not_use_its_key(api: EngineAPI, key: dict[str, str]) -> None:
    run_id = api.start("Invoice approver")
    request_id = api.wait_for_request(run_id)["id"]
    path = f"/v2/runs/{run_id}/human-requests/{request_id}/respond"
    api.post(path, {"answers": {}}, status=422, headers=key)
    api.post(path, {"approved": True}, headers=key)


def test_an_empty_key_and_one_over_255_characters_are_400(api: EngineAPI) -> None:
    run_id = api.start("Talker")
    for bad in ("", "x" * 256):
        api.post(f"/v2/runs/{run_id}/stop", status=400, headers={"Idempotency-Key": bad})
