"""What a human said to a request, made what the agent gets. Pure."""

from __future__ import annotations

from typing import Any

from .refusals import Refused

_YES = frozenset(("yes", "y", "ok", "okay", "approve", "approved"))


def from_fields(spec: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The reply in the fields of a respond call.

    Args:
        spec: the request.
        body: the call's body: `approved` or `answers`.

    Raises:
        Refused: they do not fit the request.
    """
    approved, answers = body.get("approved"), body.get("answers")
    if approved is not None and not isinstance(approved, bool):
        raise Refused(400, "approved must be true or false")
    if answers is not None and not _are_answers(answers):
        raise Refused(400, "answers must be an object of texts, by the questions' texts")
    if spec["type"] == "approval":
        if approved is None or answers:
            raise Refused(422, "this request is an approval; send approved: true or false")
        return {"approved": approved}
    if approved is not None or answers is None:
        raise Refused(422, "this request asks questions; send answers, by the questions' texts")
    asked = [one["question"] for one in spec["questions"]]
    for question in answers:
        if question not in asked:
            raise Refused(422, f"no question of this request reads {question!r}")
    for question in asked:
        if question not in answers:
            raise Refused(422, f"the question {question!r} has no answer")
    return {"answers": {question: answers[question] for question in asked}}


def from_text(spec: dict[str, Any], text: str) -> dict[str, Any]:
    """The reply that a message posted to a waiting run stands for.

    An approval is given by a bare word of consent and by nothing else; any
    other text declines it.

    Raises:
        Refused: the request asks several questions, which one text cannot answer.
    """
    if spec["type"] == "approval":
        return {"approved": text.strip().rstrip(".!").lower() in _YES}
    asked = [one["question"] for one in spec["questions"]]
    if len(asked) > 1:
        raise Refused(
            422, f"the run waits for answers to {len(asked)} questions; respond to the request"
        )
    return {"answers": {asked[0]: text}}


def _are_answers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
