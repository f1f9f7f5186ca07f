from __future__ import annotations

import argparse
from datetime import datetime, timezone

import pytest

from duvo import HumanRequest, Message, Option, Question, ToolCall, ToolResult
from duvo_cli.output import human_request, terminal
from duvo_cli.output.conversation import Conversation

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
SETTINGS = argparse.Namespace(profile=None, team=None, base_url=None)


def plain(text: str, colour: str) -> str:
    return text


def lines(message: Message, columns: int | None = None, **settings: str) -> list[str]:
    args = argparse.Namespace(**{**vars(SETTINGS), **settings})
    return Conversation(args, plain, columns, NOON.astimezone()).lines(message)


def said(content: str, **fields: object) -> Message:
    return Message(**{"id": "m", "type": "text", "role": "assistant", "content": content, **fields})


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_text_has_time_role_and_words_in_columns():
    assert lines(said("one\ntwo", timestamp=NOON)) == [
        "12:00:00  assistant  one",
        "                     two",
    ]


def test_a_message_without_a_time_keeps_its_column():
    assert lines(said("one")) == ["          assistant  one"]


def test_another_day_than_today_is_told_once():
    conversation = Conversation(SETTINGS, plain, None, NOON.replace(day=30).astimezone())
    first = conversation.lines(said("one", timestamp=NOON))
    second = conversation.lines(said("two", timestamp=NOON))
    assert first == ["-- 2026-01-31 --", "12:00:00  assistant  one"]
    assert second == ["12:00:00  assistant  two"]


def test_calls_results_and_errors_of_tools_are_told_apart():
    call = ToolCall(id="c", name="look_up")
    given = ToolResult(tool_call_id="c", result=3)
    failed = ToolResult(tool_call_id="c", error="boom")
    tool = {"role": "tool"}
    assert lines(said('{"a": 1}', type="tool_call", tool_call=call, **tool)) == [
        '          tool       → look_up {"a": 1}'
    ]
    assert lines(said("3", type="tool_result", tool_result=given, **tool)) == [
        "          tool       ← 3"
    ]
    assert lines(said("boom", type="tool_result", tool_result=failed, **tool)) == [
        "          tool       ✗ boom"
    ]


def test_a_long_result_is_cut_and_says_so():
    given = ToolResult(tool_call_id="c", result="x")
    told = lines(said("x" * 5000, type="tool_result", role="tool", tool_result=given))
    assert len(told) == 1
    assert told[0].endswith("… (4,402 more characters; --json has them)")


def test_a_message_without_text_tells_its_type():
    assert lines(said("", type="browser_session_created", role="system")) == [
        "          system     browser session created"
    ]


def test_an_approval_is_shown_with_the_commands_that_answer_it():
    request = HumanRequest(
        id="q", run_id="r", type="approval", title="Post it?", description="Total 12\nEUR"
    )
    message = said("", type="human_request", role="duvo", status="pending", request=request)
    assert lines(message, profile="my work") == [
        "          request    Post it?",
        "                     Total 12",
        "                     EUR",
        "                     approve: duvo runs respond r --approve --profile 'my work'",
        "                     deny: duvo runs respond r --deny --profile 'my work'",
    ]


def test_questions_are_shown_with_keys_and_options():
    options = (Option(label="A"), Option(label="B", description="the other"))
    request = HumanRequest(
        id="q",
        run_id="r",
        type="question",
        title="Two",
        questions=(
            Question(question="Which?", key="Cost centre", options=options, multi_select=True),
            Question(question="When?", key="2"),
        ),
    )
    assert human_request.lines(request, SETTINGS, plain) == [
        "Two",
        "1. [Cost centre] Which? (several may be chosen, joined by commas)",
        "   - A",
        "   - B: the other",
        "2. [2] When?",
        "answer: duvo runs respond r --answer 'Cost centre=…' --answer '2=…'",
    ]


def test_a_kind_of_request_that_is_not_known_says_where_to_answer_it():
    request = HumanRequest(id="q", run_id="r", type="login", title="Log in")
    assert human_request.lines(request, SETTINGS, plain)[-1].endswith("answered in the web app")


def test_control_characters_are_shown_and_not_obeyed():
    told = terminal.harmless("a\x1b[31m\x07\x9b\x7f\u202e\u2066\r\nb\rc\td\n")
    assert told == "a␛[31m␇\\u009b\\u007f\\u202e\\u2066\nb␍c\td\n"


def test_long_lines_are_wrapped_and_keep_their_margin():
    told = lines(said("    " + "word " * 20), 60)
    assert all(len(line) <= 60 for line in told)
    assert told[1].startswith(" " * 21 + "    word")


def test_a_terminal_that_is_too_narrow_does_not_wrap():
    assert len(lines(said("word " * 40), 20)) == 1
