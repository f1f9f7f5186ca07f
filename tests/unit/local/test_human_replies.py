"""A human's reply to a request, and the questions that an agent asks."""

from __future__ import annotations

from typing import Any

import pytest

from duvo.local import Option, Question
from duvo.local._store.api_errors import ApiError
from duvo.local._store.replies import from_fields, from_text

APPROVAL: dict[str, Any] = {"type": "approval", "title": "Go?"}


def questions(*texts: str) -> dict[str, Any]:
    return {"type": "question", "questions": [{"question": text} for text in texts]}


@pytest.mark.parametrize("text", ["yes", " Yes! ", "OK", "okay.", "approve", "APPROVED", "y"])
def test_a_bare_word_of_consent_approves(text: str) -> None:
    assert from_text(APPROVAL, text) == {"approved": True}


@pytest.mark.parametrize(
    "text", ["no", "", "yes and no", "yes?", "don't approve", "ok if it is below 10", "approve not"]
)
def test_any_text_but_a_bare_word_of_consent_declines(text: str) -> None:
    assert from_text(APPROVAL, text) == {"approved": False}


def test_a_text_answers_a_single_question_only() -> None:
    assert from_text(questions("Which?"), "B") == {"answers": {"Which?": "B"}}
    with pytest.raises(ApiError) as caught:
        from_text(questions("Which?", "When?"), "B")
    assert caught.value.status == 422


def test_answers_are_in_the_order_of_the_questions() -> None:
    reply = from_fields(questions("a", "b"), {"answers": {"b": "2", "a": "1"}})
    assert list(reply["answers"].items()) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("spec", "body", "status"),
    [
        (APPROVAL, {}, 422),
        (APPROVAL, {"answers": {"a": "1"}}, 422),
        (APPROVAL, {"approved": True, "answers": {"a": "1"}}, 422),
        (APPROVAL, {"approved": 1}, 400),
        (questions("a"), {"approved": True}, 422),
        (questions("a"), {"answers": {}}, 422),
        (questions("a"), {"answers": {"a": "1", "b": "2"}}, 422),
        (questions("a"), {"answers": {"a": 1}}, 400),
        (questions("a"), {"answers": "1"}, 400),
    ],
)
def test_a_reply_that_does_not_fit_its_request_is_refused(
    spec: dict[str, Any], body: dict[str, Any], status: int
) -> None:
    with pytest.raises(ApiError) as caught:
        from_fields(spec, body)
    assert caught.value.status == status


def test_a_question_has_only_the_fields_that_were_given() -> None:
    assert Question("Why?").to_dict() == {"question": "Why?"}
    full = Question(
        "Which?", options=["A", Option("B", "the second")], header="Centre", multi_select=True
    )
    assert full.to_dict() == {
        "question": "Which?",
        "header": "Centre",
        "options": [{"label": "A"}, {"label": "B", "description": "the second"}],
        "multi_select": True,
    }


def test_a_question_without_text_or_with_a_string_of_options_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a text"):
        Question(" ")
    with pytest.raises(TypeError, match="a list of texts"):
        Question("Which?", options="AB")
    with pytest.raises(TypeError, match="a list of texts, not 5"):
        Question("Which?", options=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an option is text, or an Option; not 1"):
        Question("Which?", options=[1, 2])  # type: ignore[list-item]
