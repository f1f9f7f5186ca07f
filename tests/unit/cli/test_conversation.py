"""Messages and human requests as text."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timezone

import pytest

from duvo import HumanRequest, Message, Option, Question, ToolCall, ToolResult
from duvo_cli.output import human_request, terminal
from duvo_cli.output.conversation import Conversation
from duvo_cli.output.table import displayed
from duvo_cli.replying import typed

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
SETTINGS = argparse.Namespace(profile=None, team=None, base_url=None)


def plain(text: str, colour: str) -> str:
    return text


def lines(shown: Message, columns: int | None = None, **settings: str) -> list[str]:
    args = argparse.Namespace(**{**vars(SETTINGS), **settings})
    return Conversation(args, plain, columns, NOON.astimezone()).lines(shown)


def message(content: str, **fields: object) -> Message:
    return Message(**{"id": "m", "type": "text", "role": "assistant", "content": content, **fields})


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_message_has_time_role_and_text_in_columns():
    assert lines(message("one\ntwo", timestamp=NOON)) == [
        "12:00:00  assistant  one",
        "                     two",
    ]


def test_a_message_without_a_time_leaves_its_column_blank():
    assert lines(message("one")) == ["          assistant  one"]


def test_a_day_other_than_today_is_shown_once():
    conversation = Conversation(SETTINGS, plain, None, NOON.replace(day=30).astimezone())
    first = conversation.lines(message("one", timestamp=NOON))
    second = conversation.lines(message("two", timestamp=NOON))
    assert first == ["-- 2026-01-31 --", "12:00:00  assistant  one"]
    assert second == ["12:00:00  assistant  two"]


def test_the_day_is_shown_again_when_it_changes():
    conversation = Conversation(SETTINGS, plain, None, NOON.astimezone())
    days = [
        conversation.lines(message("one", timestamp=NOON.replace(day=day)))[:-1]
        for day in (31, 30, 30, 31)
    ]
    assert days == [[], ["-- 2026-01-30 --"], [], ["-- 2026-01-31 --"]]


def test_tool_calls_results_and_errors_have_different_marks():
    call = ToolCall(id="c", name="look_up")
    result = ToolResult(tool_call_id="c", result=3)
    failed = ToolResult(tool_call_id="c", error="boom")
    tool = {"role": "tool"}
    assert lines(message('{"a": 1}', type="tool_call", tool_call=call, **tool)) == [
        '          tool       → look_up {"a": 1}'
    ]
    assert lines(message("3", type="tool_result", tool_result=result, **tool)) == [
        "          tool       ← 3"
    ]
    assert lines(message("boom", type="tool_result", tool_result=failed, **tool)) == [
        "          tool       ✗ boom"
    ]


def test_a_call_that_asks_a_human_shows_no_json_and_no_questions():
    arguments = {"title": "2 questions", "questions": [{"question": "Where to?"}]}
    arguments["description"] = "For March\nor April"
    call = ToolCall(id="c", name="ask_question", arguments=arguments)
    text = json.dumps(arguments)
    assert lines(message(text, type="tool_call", role="tool", tool_call=call)) == [
        "          tool       → ask_question For March",
        "                     or April",
    ]
    arguments = {"title": "Pay?", "description": "12 EUR"}
    approval = ToolCall(id="c", name="request_approval", arguments=arguments)
    assert lines(message("{}", type="tool_call", role="tool", tool_call=approval)) == [
        "          tool       → request_approval Pay?",
        "                     12 EUR",
    ]
    other = ToolCall(id="c", name="ask_question", arguments={"question": "Where to?"})
    (line,) = lines(message('{"a": 1}', type="tool_call", role="tool", tool_call=other))
    assert line.endswith('→ ask_question {"a": 1}')


def test_a_long_tool_result_is_shortened_with_a_note():
    result = ToolResult(tool_call_id="c", result="x")
    (line,) = lines(message("x" * 5000, type="tool_result", role="tool", tool_result=result))
    assert line.endswith("… (4,402 more characters; --json has them)")


def test_a_message_without_text_shows_its_type():
    assert lines(message("", type="browser_session_created", role="system")) == [
        "          system     browser session created"
    ]


def test_an_approval_is_shown_with_the_commands_that_answer():
    request = HumanRequest(
        id="q", run_id="r", type="approval", title="Post it?", description="Total 12\nEUR"
    )
    pending = message("", type="human_request", role="duvo", status="pending", request=request)
    assert lines(pending, profile="my work") == [
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
        "1. [Cost centre] Which? (choose one or more, separated by commas)",
        "   - A",
        "   - B: the other",
        "2. [2] When?",
        "answer: duvo runs respond r --answer 'Cost centre=…' --answer '2=…'",
    ]


def test_a_request_before_a_prompt_has_numbered_options_and_no_commands():
    questions = (Question(question="Which?", key="1", options=(Option(label="A"),)),)
    request = HumanRequest(id="q", run_id="r", type="question", title="One", questions=questions)
    pending = message("", type="human_request", role="duvo", status="pending", request=request)
    asked = [line.strip() for line in lines(pending, 80, on_request="ask")]
    assert asked == ["request    One", "1. [1] Which?", "1) A"]
    assert "answer: " in lines(pending, None, on_request="ask")[-1]


@pytest.mark.parametrize("several", [False, True])
def test_a_title_that_is_the_only_question_is_not_repeated(several):
    options = (Option(label="A"), Option(label="B"))
    question = Question(question="Which?", key="1", options=options, multi_select=several)
    request = HumanRequest(
        id="q",
        run_id="r",
        type="question",
        title="Which?",
        description="Now",
        questions=(question,),
    )
    head = "Which? (choose one or more, separated by commas)" if several else "Which?"
    asked = human_request.lines(request, SETTINGS, plain, prompted=True)
    assert [line.strip() for line in asked] == [head, "Now", "1) A", "2) B"]
    *shown, command = human_request.lines(request, SETTINGS, plain)
    assert [line.strip() for line in shown] == [head, "Now", "- A", "- B"]
    assert command == "answer: duvo runs respond r --answer '1=…'"
    assert typed.prompt(question, is_only=True).startswith("Number")


def test_a_request_of_an_unknown_type_refers_to_the_web_app():
    request = HumanRequest(id="q", run_id="r", type="login", title="Log in")
    *_, last = human_request.lines(request, SETTINGS, plain)
    assert last == "requests of type 'login' can only be answered in the web app"


def test_control_characters_are_made_visible():
    text = terminal.harmless("a\x1b[31m\x07\x9b\x7f\u202e\u2066\r\nb\rc\td\n")
    assert text == "a␛[31m␇\\u009b\\u007f\\u202e\\u2066\nb␍c\td\n"


def test_long_lines_are_wrapped_with_their_margin():
    wrapped = lines(message("    " + "word " * 20), 60)
    assert all(len(line) <= 60 for line in wrapped)
    assert wrapped[1].startswith(" " * 21 + "    word")


def test_wide_characters_are_wrapped_in_the_column_of_the_text():
    wrapped = lines(message("日本語" * 20, role="役割役割役割"), 61)
    assert wrapped[0].startswith("          役割役割…  日本語日本語")
    assert {displayed(line) for line in wrapped[:-1]} == {61}
    assert all(line.startswith(" " * 21) and line[21] in "日本語" for line in wrapped[1:])


def test_an_endless_reason_of_a_failure_is_shortened():
    (line,) = lines(message("z" * 5_000_000, type="session_error", role="system"))
    assert line.endswith("… (4,994,000 more characters; --json has them)")


def test_words_and_lines_without_end_lose_their_middle_on_stderr(capsys):
    terminal.say(f"run {'a' * 100_000} is missing", "x" * 5_000_000)
    terminal.say("word " * 100_000)
    first, more, words = capsys.readouterr().err.splitlines()
    assert first == f"duvo: run {'a' * 200} …(99,600 characters)… {'a' * 200} is missing"
    assert all(len(line) < 8100 for line in (more, words))
    assert words.startswith("duvo: word word ")
    assert words.endswith(" word word")


def test_lines_are_not_wrapped_in_a_narrow_terminal():
    assert len(lines(message("word " * 40), 20)) == 1


@pytest.mark.parametrize(
    ("answers", "answered"),
    [
        (["Lang=de", "2=A", "Parts=B"], True),
        (["Which language?=de", "Parts=A"], True),
        (["Lang=de"], False),
        (["Lang=de", "1=en", "Parts=A"], False),
        (["language=de", "Parts=A"], False),
        (True, False),
    ],
)
def test_questions_that_all_have_an_answer_are_shown_as_answered_by_it(answers, answered):
    questions = (
        Question(question="Which language?", header="Lang"),
        Question(question="Which parts?", header="Parts", multi_select=True),
    )
    request = HumanRequest(
        id="r", type="question", title="Language", run_id="R", questions=questions
    )
    args = argparse.Namespace(**vars(SETTINGS), answer=answers)
    (how,) = human_request.how_to_answer(request, args, plain)
    assert (how == "answered by --answer") is answered
    assert how.startswith("answer: duvo runs respond R ") is not answered
