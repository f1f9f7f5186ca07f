"""What the server sends, made ours: names added, strange things carried through or told clearly."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import duvo
from duvo._models import wire
from duvo._models.times import _for_python_3_10, timestamp
from tests.servers.fake_api import Hosted
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
def test_every_message_has_content_and_a_role_that_tells(
    raw: dict[str, Any], role: str, content: str
) -> None:
    given = {"id": "1", **raw}
    before = dict(given)
    ours = wire.message(given)
    assert (ours["role"], ours["content"]) == (role, content)
    assert given == before


def test_a_message_of_an_unknown_type_is_carried_through(
    hosted: Hosted, client: duvo.Client
) -> None:
    run_id = hosted.start()
    hosted.say(run_id, "?", type="hologram", role="projector", depth=3)
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
def test_an_answer_about_a_run_that_is_none_is_told_with_its_place(
    hosted: Hosted, client: duvo.Client, body: Any, says: str
) -> None:
    hosted.before = lambda seen: (200, body)
    with pytest.raises(duvo.UnexpectedAnswer, match=says):
        client.runs.get(hosted.start())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"messages": None, "total": 0}, "nothing at messages"),
        ({"messages": [None], "total": 1}, r"nothing at messages\[0\]"),
        ({"messages": [{"type": "text"}], "total": 1}, r"nothing at messages\[0\].id"),
        ({"messages": [{"id": "1", "role": "user"}]}, r"no valid message.*type"),
        (
            {"messages": [{"id": "1", "type": "tool_call", "role": "x", "tool_call": {"id": 3}}]},
            r"no valid message.*tool_call",
        ),
    ],
)
def test_a_page_that_is_none_is_told_with_its_place(
    hosted: Hosted, client: duvo.Client, body: Any, says: str
) -> None:
    run_id = hosted.start()
    hosted.before = lambda seen: (200, body) if seen.path.endswith("/messages") else None
    with pytest.raises(duvo.UnexpectedAnswer, match=says):
        list(client.runs.run(run_id).messages(follow=True, timeout=60))


def test_a_page_without_a_total_is_read_to_its_end(hosted: Hosted, client: duvo.Client) -> None:
    run_id = hosted.start()
    for number in range(120):
        hosted.say(run_id, str(number))
    hosted.end(run_id)

    def without_total(seen: Any) -> Any:
        if not seen.path.endswith("/messages"):
            return None
        status, body = hosted.answer(seen)
        del body["total"]
        return status, body

    hosted.after = without_total
    run = client.runs.run(run_id)
    assert len(list(run.messages())) == 120
    assert len(list(run.messages(last=7))) == 7
    assert run.wait().answer == "119"


def test_a_total_that_promises_too_much_ends_no_less(
    hosted: Hosted, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = hosted.start()
    hosted.say(run_id, "one")
    hosted.end(run_id)

    def too_much(seen: Any) -> Any:
        if not seen.path.endswith("/messages"):
            return None
        status, body = hosted.answer(seen)
        return status, {**body, "total": 999}

    hosted.after = too_much
    assert len(list(client.runs.run(run_id).messages())) == 1
    assert len(list(client.runs.run(run_id).messages(follow=True, timeout=20))) == 1


def test_run_data_is_typed_and_unknown_fields_are_kept(hosted: Hosted, client: duvo.Client) -> None:
    run = client.runs.get(hosted.start(mood="good"))
    assert run.created_at is not None
    assert run.created_at.tzinfo is not None
    assert run.completed_at is None
    assert run.data.human_in_the_loop_enabled is True
    assert run.raw["run"]["mood"] == "good"


def test_to_dict_has_our_word_for_the_status_and_raw_the_servers(
    hosted: Hosted, client: duvo.Client
) -> None:
    run_id = hosted.start("interrupted")
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
