"""Values on the command line and answers at a prompt."""

from __future__ import annotations

import json
import time
from argparse import ArgumentTypeError
from datetime import datetime, timedelta, timezone

import pytest

from duvo import Option, Question
from duvo_cli.errors import CommandFailed
from duvo_cli.input import fields
from duvo_cli.input.text import text_of
from duvo_cli.output.times import moment
from duvo_cli.replying import typed
from duvo_cli.replying.options import key_and_text


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_time_ago_is_subtracted_from_now(text, ago):
    found = moment(text)
    assert isinstance(found, datetime)
    assert abs(datetime.now(timezone.utc) - ago - found) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T12:00:00Z"])
def test_iso_dates_and_times_are_passed_on_to_the_sdk(text):
    assert moment(text) == text


@pytest.mark.parametrize("text", ["", "tomorrow", "25:00", "2 h", "2y", "-2h", "²h", "999999999w"])
def test_other_text_is_not_a_time(text):
    with pytest.raises(ArgumentTypeError):
        moment(text)


def test_words_for_days_and_times_of_a_day_are_local(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        assert moment("today") == today
        assert moment("yesterday") == today - timedelta(days=1)
        assert moment("9:30") == today + timedelta(hours=9, minutes=30)
    finally:
        monkeypatch.undo()
        time.tzset()


COST_CENTRE = Question(question="Which?", options=(Option(label="A b"), Option(label="2")))
PARTS = Question(
    question="Which?", options=(Option(label="x"), Option(label="y, z")), multi_select=True
)


@pytest.mark.parametrize(("text", "label"), [("1", "A b"), ("a B", "A b"), ("2", "2")])
def test_an_option_can_be_given_by_label_or_by_number(text, label):
    assert typed.answers_to(COST_CENTRE)(text) == label


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("1", "x"),
        ("1, 2", "x,y, z"),
        ("y, z", "y, z"),
        ("x,1", "x"),
        ("w, 2", "w,y, z"),
        ("1,", "x"),
    ],
)
def test_several_options_are_separated_by_commas(text, labels):
    assert typed.answers_to(PARTS)(text) == labels


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_commas_alone_are_not_several_options(text):
    with pytest.raises(typed.NotUnderstood, match="type an answer"):
        typed.answers_to(PARTS)(text)


@pytest.mark.parametrize("question", [COST_CENTRE, PARTS, Question(question="Why?")])
@pytest.mark.parametrize("text", ['""', '" "'])
def test_quotation_marks_alone_are_not_an_answer(question, text):
    with pytest.raises(typed.NotUnderstood, match="type an answer"):
        typed.answers_to(question)(text)


@pytest.mark.parametrize(("text", "answer"), [("C", "C"), ("-1", "-1"), ("²", "²"), ('"3"', "3")])
def test_other_text_is_an_answer_beside_the_options(text, answer):
    assert typed.answers_to(COST_CENTRE)(text) == answer


@pytest.mark.parametrize("text", ["", "3", "0", "1,2"])
def test_numbers_that_are_not_options_and_nothing_are_not_answers(text):
    with pytest.raises(typed.NotUnderstood):
        typed.answers_to(COST_CENTRE)(text)


def test_a_question_without_options_takes_any_text_but_the_empty_one():
    free = typed.answers_to(Question(question="Why?"))
    assert free("because = 3") == "because = 3"
    with pytest.raises(typed.NotUnderstood):
        free("")


def test_only_yes_and_no_are_decisions():
    assert typed.decision("Yes") is True
    assert typed.decision("n") is False
    for text in ("", "ok?", "1", "yep"):
        with pytest.raises(typed.NotUnderstood):
            typed.decision(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=true", True),
        ("k=null", None),
        ("k=3", 3),
        ("k=-1.5e3", -1500.0),
        ("k=03", "03"),
        ("k=NaN", "NaN"),
        ("k=1e999", "1e999"),
        ('k="x"', '"x"'),
        ("k=[1]", "[1]"),
        ("k=", ""),
    ],
)
def test_a_typed_field_is_a_json_word_a_number_or_text(text, value):
    assert fields.typed_field(text) == ("k", value)


def test_a_typed_field_reads_json_from_a_file(tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"a": [1]}')
    assert fields.typed_field(f"k=@{file}") == ("k", {"a": [1]})
    for bad in ("{", '{"a": 1, "a": 1}', "[1e999]", "[NaN]", "é"):
        file.write_bytes(bad.encode("latin-1"))
        with pytest.raises(ArgumentTypeError, match="is not JSON"):
            fields.typed_field(f"k=@{file}")
    with pytest.raises(CommandFailed, match="No such file"):
        fields.typed_field("k=@nowhere.json")


def test_a_file_of_a_text_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.json").write_text("[1]")
    assert fields.text_field("k=@~/x.json") == ("k", "[1]")
    assert fields.typed_field("k=@~/x.json") == ("k", [1])
    assert key_and_text("k=@~/x.json") == "k=[1]"


def test_a_text_field_reads_a_file_without_its_byte_order_mark(tmp_path):
    file = tmp_path / "x.txt"
    for mark, encoding in (("", "utf-8"), ("\ufeff", "utf-8"), ("\ufeff", "utf-16-le")):
        file.write_bytes(f"{mark}příliš\n".encode(encoding))
        assert fields.text_field(f"k=@{file}") == ("k", "příliš\n")
        assert key_and_text(f"k=@{file}") == "k=příliš"
    assert fields.text_field("k=@@x") == fields.typed_field("k=@@x") == ("k", "@x")


@pytest.mark.parametrize("keys", ["a a", "a a[]", "a[] a", "b a b"])
def test_a_field_that_is_given_twice_is_refused(keys):
    with pytest.raises(ValueError, match=r"the field '[ab]' is given twice"):
        fields.check([(key, "1") for key in keys.split()])


def test_items_of_an_array_may_be_given_repeatedly():
    given = [("a[]", "1"), ("b", "2"), ("a[]", "1")]
    fields.check(given)
    assert json.loads(fields.document(given)) == {"a": ["1", "1"], "b": "2"}


def test_an_at_sign_needs_the_name_of_a_file():
    hint = "text that begins with @ is written @@…"
    for read in (lambda: text_of("@"), lambda: fields.typed_field("k=@")):
        with pytest.raises(CommandFailed) as caught:
            read()
        assert str(caught.value) == f"give the name of a file after @; {hint}"
    with pytest.raises(CommandFailed, match="cannot read '/nofile': No such file or directory; te"):
        text_of("@/nofile")


@pytest.mark.parametrize("text", ["2026-02-30", "2026-01-31T25:00", "2026-01-31 12:60Z"])
def test_a_time_that_does_not_exist_is_refused_as_an_argument(text):
    with pytest.raises(ArgumentTypeError, match=f"'{text}' does not exist: "):
        moment(text)


@pytest.mark.parametrize("text", ["k", "=v", ""])
def test_a_field_needs_a_key_and_a_value(text):
    with pytest.raises(ArgumentTypeError):
        fields.text_field(text)
