"""A human's reply to a request, checked and turned into what the agent receives. Pure.

Raises `ApiError` for a reply that does not fit the request.
"""

from __future__ import annotations

from typing import Any

from .api_errors import ApiError

_YES = frozenset(("yes", "y", "ok", "okay", "approve", "approved"))


def from_fields(spec: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return the reply in the body of a respond call: `approved` or `answers`."""
    approved, answers = body.get("approved"), body.get("answers")
    if approved is not None and not isinstance(approved, bool):
        raise ApiError(400, "approved must be true or false")
    if answers is not None and not (
        isinstance(answers, dict) and all(isinstance(answer, str) for answer in answers.values())
    ):
        raise ApiError(400, "answers must be an object of texts, keyed by the questions' texts")
    if spec["type"] == "approval":
        if approved is None or answers:
            raise ApiError(422, "this request is an approval; send approved: true or false")
        return {"approved": approved}
    if approved is not None or answers is None:
        raise ApiError(422, "this request asks questions; send answers, keyed by their texts")
    questions = [question["question"] for question in spec["questions"]]
    for question in answers:
        if question not in questions:
            raise ApiError(422, f"this request does not ask {question!r}")
    for question in questions:
        if question not in answers:
            raise ApiError(422, f"the question {question!r} has no answer")
    return {"answers": {question: answers[question] for question in questions}}


def from_text(spec: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the reply that a message to a waiting run counts as.

    A bare word of consent approves, any other text declines; one text cannot
    answer several questions.
    """
    if spec["type"] == "approval":
        return {"approved": text.strip().rstrip(".!").lower() in _YES}
    questions = [question["question"] for question in spec["questions"]]
    if len(questions) > 1:
        raise ApiError(
            422, f"the run waits for answers to {len(questions)} questions; respond to the request"
        )
    return {"answers": {questions[0]: text}}
