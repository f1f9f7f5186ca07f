"""The server's JSON: names that are added, broken fields kept or reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import duvo
from duvo._models import human_requests, messages, wire
from duvo._models.build import build
from duvo._models.times import _for_python_3_10, timestamp
from tests.servers.fake_api import AGENT, FakeAPI
from tests.support.clocks import StoppedClock


@pytest.mark.parametrize(
    ("raw", "role", "content"),
    [
        ({"type": "text", "role": "assistant", "text_content": "hi"}, "assistant", "hi"),
        ({"type": "text", "role": "assistant", "text_content": None}, "assistant", ""),
        ({"type": "text", "role": "user"}, "user", ""),
        ({"type": "thinking", "role": "assistant", "text_content": "hm"}, "thinking", "hm"),
        (
            {"type": "tool_call", "role": "assistant", "tool_call": {"arguments": {"id": "é"}}},
            "tool",
            '{"id": "é"}',
        ),
        ({"type": "tool_call", "role": "assistant", "tool_call": {}}, "tool", "{}"),
        (
            {"type": "tool_result", "role": "assistant", "tool_result": {"result": "12"}},
            "tool",
            "12",
        ),
        (
            {"type": "tool_result", "role": "assistant", "tool_result": {"result": [1]}},
            "tool",
            "[1]",
        ),
        ({"type": "tool_result", "role": "tool", "tool_result": {"error": "no"}}, "tool", "no"),
        ({"type": "text", "role": "assistant", "content": "given"}, "assistant", "given"),
    ],
)
def test_every_message_has_content_and_a_role(raw: dict[str, Any], role: str, content: str) -> None:
    given = {"id": "1", **raw}
    before = dict(given)
    ours = wire.message(given)
    assert (ours["role"], ours["content"]) == (role, content)
    assert given == before


def test_a_message_of_an_unknown_type_is_carried_through(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "?", type="hologram", role="projector", depth=3)
    message = next(client.runs.run(run_id).messages())
    assert (message.type, message.role, message.raw["depth"]) == ("hologram", "projector", 3)
    assert message.to_dict()["content"] == "?"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "an array at the top"),
        ({}, "nothing at run"),
        ({"run": "r"}, "text at run"),
        ({"run": {"status": "running"}}, "nothing at run.id"),
        ({"run": {"id": "r"}}, "nothing at run.status"),
        ({"run": {"id": "r", "status": None}}, "nothing at run.status"),
        ({"run": {"id": "r", "status": 7}}, "the number 7 at run.status"),
    ],
)
def test_a_response_without_a_valid_run_is_an_error_that_names_the_field(
    fake_api: FakeAPI, client: duvo.Client, body: Any, says: str
) -> None:
    fake_api.before = lambda seen: (200, body)
    with pytest.raises(duvo.UnexpectedAnswer, match=says):
        client.runs.get(fake_api.start())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"messages": None, "total": 0}, "nothing at messages"),
        ({"messages": [None], "total": 1}, r"nothing at messages\[0\]"),
        ({"messages": [{"type": "text"}], "total": 1}, r"nothing at messages\[0\].id"),
    ],
)
def test_an_invalid_page_of_messages_is_an_error_that_names_the_field(
    fake_api: FakeAPI, client: duvo.Client, body: Any, says: str
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (200, body) if seen.path.endswith("/messages") else None
    with pytest.raises(duvo.UnexpectedAnswer, match=says):
        list(client.runs.run(run_id).messages(follow=True, timeout=60))


BROKEN: list[tuple[dict[str, Any], Callable[[duvo.Message], object], object]] = [
    ({"type": None}, lambda message: message.type, ""),
    ({"role": 7}, lambda message: message.role, "7"),
    ({"status": {"a": 1}}, lambda message: message.status, '{"a": 1}'),
    ({"tool_call": {"id": "c", "name": None}}, lambda message: call(message).name, ""),
    ({"tool_call": {"id": 3, "name": "pay"}}, lambda message: call(message).id, "3"),
    (
        {"tool_call": {"id": "c", "name": "pay", "arguments": None}},
        lambda message: (call(message).name, call(message).arguments),
        ("pay", {}),
    ),
    ({"tool_call": {"arguments": [1]}}, lambda message: call(message).arguments, {}),
    ({"tool_call": "pay"}, lambda message: message.tool_call, None),
    (
        {"tool_result": {"tool_call_id": "c", "error": {"code": 5}}},
        lambda message: message.tool_result,
        duvo.ToolResult(tool_call_id="c", error='{"code": 5}'),
    ),
    (
        {"tool_result": {"tool_call_id": None, "result": [1]}},
        lambda message: message.tool_result,
        duvo.ToolResult(tool_call_id="", result=[1]),
    ),
    ({"human_request": {"id": None}}, lambda message: message.type, "text"),
]


def call(message: duvo.Message) -> duvo.ToolCall:
    assert message.tool_call is not None
    return message.tool_call


@pytest.mark.parametrize(("fields", "read", "expected"), BROKEN)
def test_a_message_with_a_broken_field_is_carried_through_with_one_warning(
    fake_api: FakeAPI,
    client: duvo.Client,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, Any],
    read: Callable[[duvo.Message], object],
    expected: object,
) -> None:
    run_id = fake_api.start()
    for number in range(3):
        fake_api.say(run_id, str(number), **(fields if number else {}))
    fake_api.end(run_id)
    messages = list(client.runs.run(run_id).messages(follow=True, timeout=60))
    assert [message.content for message in messages] == ["0", "1", "2"]
    assert read(messages[1]) == expected
    assert fields.items() <= messages[1].raw.items()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert f"message {messages[1].id} does not match the API" in warnings[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"timestamp": None},
        {"timestamp": "2026-01-02T03:04:05.5+02:00"},
        {"timestamp": 7},
        {"status": "pending", "unknown": [1]},
        {"text_content": None, "content": "given"},
        {"type": "tool_call", "tool_call": {"id": "c", "name": "pay"}},
        {"type": "tool_call", "tool_call": {"id": "c", "name": "pay", "arguments": {"a": 1}}},
        {"type": "tool_result", "tool_result": {"tool_call_id": "c", "result": {"a": [1]}}},
        {"type": "tool_result", "tool_result": {"tool_call_id": "c", "error": "no"}},
        {"tool_call": None, "tool_result": None, "human_request": None},
        {"type": "human_request", "human_request": {"id": "q", "type": "approval", "title": "?"}},
        *(fields for fields, _, _ in BROKEN),
    ],
)
def test_a_message_is_built_as_cattrs_would_build_it(fields: dict[str, Any]) -> None:
    raw = {"id": "1", "type": "text", "role": "user", "text_content": "hi", **fields}
    ours = wire.message(raw)
    request = ours.get("human_request")
    converted = ours
    if isinstance(request, dict):
        converted = {**ours, "request": human_requests.human_request_fields(request, "r")}
    built = messages.message(ours, raw, "r")
    assert built == build(duvo.Message, converted, raw)
    assert built.raw is raw
    assert hash(built) == hash(build(duvo.Message, converted, raw))


def test_a_tool_error_that_is_an_object_is_the_failure_of_the_run(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    result = {"tool_call_id": "c", "error": {"code": 5}}
    fake_api.say(run_id, "", type="tool_result", text_content=None, tool_result=result)
    fake_api.end(run_id, "failed")
    assert client.runs.run(run_id).wait(timeout=60).failure == '{"code": 5}'


@pytest.mark.parametrize(
    ("fields", "names"),
    [({"name": None}, ""), ({"name": 7}, "7"), ({"team_id": []}, "Broken"), ({"name": {}}, "{}")],
)
def test_an_agent_with_a_broken_field_does_not_prevent_starts_of_others(
    fake_api: FakeAPI,
    client: duvo.Client,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, Any],
    names: str,
) -> None:
    broken: Any = {"id": "33333333-3333-4333-8333-333333333333", "name": "Broken", **fields}
    fake_api.agents = [broken, broken | {"id": "4"}, *fake_api.agents]
    assert client.runs.start("Invoice approver").agent_id == AGENT
    assert [agent.name for agent in client.agents.list()] == [names, names, "Invoice approver"]
    assert client.agents.get(broken["id"]).name == names
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_request_with_broken_fields_is_carried_through(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    options = [{"label": "A"}, {"label": None, "description": 3}, "B"]
    questions = [{"question": "Which?", "options": options, "multi_select": "yes"}, None]
    fake_api.ask(run_id, type="question", title=5, questions=questions)
    (message,) = client.runs.run(run_id).messages()
    request = message.request
    assert request is not None
    assert (request.title, request.run_id) == ("5", run_id)
    (question,) = request.questions
    assert (question.question, question.key, question.multi_select) == ("Which?", "1", False)
    assert [option.label for option in question.options] == ["A", ""]
    client.runs.run(run_id).respond(answers={"1": "A"})
    fake_api.ask(run_id, questions="none")
    assert client.runs.run(run_id).respond(approve=True).run_id == run_id


def test_a_reply_whose_response_has_a_broken_field_succeeds(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run = client.runs.run(fake_api.start())
    request_id = fake_api.ask(run.id)
    reply = {"human_request": {"id": request_id, "title": ["Pay?"], "response": {"approved": True}}}
    fake_api.after = lambda seen: (200, reply) if seen.method == "POST" else None
    assert run.respond(approve=True).response == '{"approved": true}'


def test_data_of_a_run_with_a_broken_field_is_readable(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run = client.runs.get(fake_api.start(source=4, build_id=["b"], created_at=12))
    assert (run.source, run.build_id, run.created_at) == ("4", '["b"]', None)
    assert run.agent_id == AGENT


def test_deeply_nested_arguments_are_carried_through(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    nested = b"[" * 500 + b"]" * 500
    fake_api.say(run_id, "x", tool_call={"id": "c", "name": "pay", "arguments": {"a": "nested"}})
    fake_api.say(run_id, "done")

    def nest(seen: Any) -> Any:
        if not seen.path.endswith("/messages"):
            return None
        return 200, json.dumps(fake_api.answer(seen)[1]).encode().replace(b'"nested"', nested)

    fake_api.after = nest
    assert [message.content for message in client.runs.run(run_id).messages()] == ["x", "done"]


def test_raw_of_a_run_has_one_shape(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    runs = [
        client.runs.get(run_id),
        next(client.runs.list()),
        client.runs.start(AGENT),
    ]
    for run in runs:
        assert set(run.raw) == {"run"}
        assert run.raw["run"]["id"] == run.id
    assert runs[1].raw["run"]["title"] == "Process today's queue"


def test_a_page_without_a_total_is_read_to_its_end(fake_api: FakeAPI, client: duvo.Client) -> None:
    run_id = fake_api.start()
    for number in range(120):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)

    def without_total(seen: Any) -> Any:
        if not seen.path.endswith("/messages"):
            return None
        status, body = fake_api.answer(seen)
        del body["total"]
        return status, body

    fake_api.after = without_total
    run = client.runs.run(run_id)
    assert len(list(run.messages())) == 120
    assert len(list(run.messages(last=7))) == 7
    assert run.wait().answer == "119"


def test_a_total_that_is_too_large_does_not_keep_reading_from_ending(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    fake_api.say(run_id, "one")
    fake_api.end(run_id)

    def too_much(seen: Any) -> Any:
        if not seen.path.endswith("/messages"):
            return None
        status, body = fake_api.answer(seen)
        return status, {**body, "total": 999}

    fake_api.after = too_much
    assert len(list(client.runs.run(run_id).messages())) == 1
    assert len(list(client.runs.run(run_id).messages(follow=True, timeout=20))) == 1


def test_run_data_is_typed_and_unknown_fields_are_kept(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run = client.runs.get(fake_api.start(mood="good"))
    assert run.created_at is not None
    assert run.created_at.tzinfo is not None
    assert run.completed_at is None
    assert run.data.human_in_the_loop_enabled is True
    assert run.raw["run"]["mood"] == "good"


def test_to_dict_has_the_sdks_status_and_raw_the_servers(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start("interrupted")
    run = client.runs.get(run_id)
    assert run.to_dict()["run"]["status"] == "stopped"
    assert run.raw["run"]["status"] == "interrupted"
    listed = next(client.runs.list())
    assert listed.to_dict()["run"]["status"] == "stopped"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500000, timezone.utc)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, timezone.utc)),
        (
            "2026-01-02T03:04:05+02:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_of_every_form_are_read(text: object, moment: datetime | None) -> None:
    assert timestamp(text) == moment
    if isinstance(text, str) and moment is not None:
        assert datetime.fromisoformat(_for_python_3_10(text)) == moment
