"""Human requests, their questions, and replies to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from .build import build


@frozen(kw_only=True)
class Option:
    """One choice of a question.

    Attributes:
        label: the text to answer with.
        description: more about it, or None.
    """

    label: str
    description: str | None = None


@frozen(kw_only=True)
class Question:
    """One question of a human request.

    Attributes:
        question: the text, which identifies it in the API.
        header: a short name, or None.
        options: the choices; empty for free text.
        multi_select: whether several choices may be given.
        id: the id, on servers that have one.
        key: a short name for answers: the id, the header, or the number,
            counted from 1.
    """

    question: str
    header: str | None = None
    options: tuple[Option, ...] = ()
    multi_select: bool = False
    id: str | None = None
    key: str = ""


@frozen(kw_only=True)
class HumanRequest:
    """A run's request for a human: an approval, or answers to questions.

    Attributes:
        id: the request's id.
        run_id: the run's id, or None.
        type: `approval`, `question`, or a type newer than this library.
        title: the request in one line.
        description: more about it, or None.
        created_at: when it was created.
        questions: the questions; empty for an approval.
        raw: as the API sent it.
    """

    id: str
    type: str
    title: str = ""
    description: str | None = None
    created_at: datetime | None = None
    questions: tuple[Question, ...] = ()
    run_id: str | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)

    def _repr_html_(self) -> str:
        from .._notebook import html

        pairs = [
            ("title", self.title),
            ("description", self.description),
            *((f"question {one.key}", question_text(one)) for one in self.questions),
            ("run", self.run_id),
            ("created", self.created_at),
        ]
        return html.fields(f"{self.type} {self.id}", pairs)


@frozen(kw_only=True)
class Reply:
    """A human request that has been replied to.

    Attributes:
        id: the request's id.
        run_id: the run's id.
        title: the request in one line.
        response: the reply as the server records it.
        responded_at: when it was replied to.
        raw: as the API sent it.
    """

    id: str
    run_id: str | None = None
    title: str = ""
    response: str | None = None
    responded_at: datetime | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


def request_text(request: HumanRequest) -> str:
    """Return a human request as lines of text."""
    questions = [f"{question.key}: {question_text(question)}" for question in request.questions]
    return "\n".join(filter(None, [request.title, request.description, *questions]))


def question_text(question: Question) -> str:
    """Return a question with its options."""
    options = ", ".join(option.label for option in question.options)
    return f"{question.question} ({options})" if options else question.question


def human_request(raw: dict[str, Any], run_id: str) -> HumanRequest:
    """Build the human request that came with a run."""
    return build(HumanRequest, human_request_fields(raw, run_id), raw)


def human_request_fields(raw: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Return a human request's fields, each question with its key."""
    questions = raw.get("questions") or []
    if isinstance(questions, list):
        questions = [
            {**_without_nulls(question), "key": _key(question, number)}
            if isinstance(question, dict)
            else question
            for number, question in enumerate(questions, 1)
        ]
    return {**_without_nulls(raw), "run_id": run_id, "raw": raw, "questions": questions}


def reply(raw: dict[str, Any]) -> Reply:
    """Build the reply from the response that confirms it."""
    return build(Reply, _without_nulls(raw), raw)


def _key(question: dict[str, Any], number: int) -> str:
    for name in ("id", "header"):
        value = question.get(name)
        if isinstance(value, str) and value:
            return value
    return str(number)


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
