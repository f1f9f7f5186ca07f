"""Replies to human requests, checked against the request."""

from __future__ import annotations

from .._advice import words
from .._errors import InvalidReply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .._models.human_requests import HumanRequest, Question
    from .._models.types import Answers, AnswerText


class Given:
    """Answers by the text of their question.

    Attributes:
        unknown: keys that match no question.
        contradiction: why a question has too many answers, or "".
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.unknown: list[str] = []
        self.contradiction = ""


def body(
    request: HumanRequest, approve: bool | None = None, answers: Answers | None = None
) -> dict[str, Any]:
    """Return the body of a reply; raise `InvalidReply` if it does not fit the request.

    Answers are by the question's id, text, header or number, or texts `KEY=ANSWER`.
    """
    approve = _decision(approve, request)
    if approve is not None and answers:
        raise InvalidReply("give either a decision or answers, not both", request=request)
    if request.type == "approval":
        if approve is None:
            raise _unfit("it needs a decision: approve or deny", request)
        return {"approved": approve}
    if request.type != "question" and not request.questions:
        raise _unfit("this kind of request can be answered in the web app only", request)
    if not answers:
        instead = "" if approve is None else ", not a decision"
        raise _unfit(f"it needs answers to its questions{instead}", request)
    given = match(request, answers)
    if given.unknown:
        raise _unfit(f"it has no question {given.unknown[0]!r}", request)
    if given.contradiction:
        raise _unfit(given.contradiction, request)
    missing = [question for question in request.questions if question.question not in given.found]
    if missing:
        raise _unfit(f"the question {missing[0].key!r} has no answer", request)
    return {"answers": given.found}


def is_decision(value: object) -> bool:
    """Whether the value is True or False, or numpy's."""
    kind = type(value)
    return kind is bool or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def _decision(approve: bool | None, request: HumanRequest) -> bool | None:
    if approve is None:
        return None
    if not is_decision(approve):
        raise _unfit(f"approve must be True or False, not {approve!r}", request)
    return bool(approve)


def check_standing(answers: Answers) -> None:
    """Refuse empty standing answers, as far as they show without their request."""
    if hasattr(answers, "items"):
        pairs = list(answers.items())
    else:
        texts = answers if isinstance(answers, (list, tuple)) else [answers]
        pairs = [text.partition("=")[::2] for text in texts if isinstance(text, str)]
    for key, answer in pairs:
        if _is_empty(answer):
            raise InvalidReply(f"the standing answer to {key!r} is empty")


def standing(request: HumanRequest, answers: Answers | None) -> Given | None:
    """Return standing answers, or None if they leave a question open.

    Answers to other questions are for other requests.
    """
    if not answers or not request.questions:
        return None
    given = match(request, answers)
    if any(question.question not in given.found for question in request.questions):
        return None
    return given


def match(request: HumanRequest, answers: Answers) -> Given:
    """Find the questions that the answers are for.

    Several answers to a question are joined where several options may be chosen,
    whichever of its names they use.
    """
    names = _names(request.questions)
    given = Given()
    for key, text in _pairs(answers, names, request):
        question = names.get(key)
        if question is None:
            given.unknown.append(key)
            continue
        earlier = given.found.setdefault(question.question, text)
        if earlier == text or (question.multi_select and text in earlier.split(",")):
            continue
        if question.multi_select:
            given.found[question.question] = f"{earlier},{text}"
        else:
            given.contradiction = (
                f"the question {question.key!r} takes one answer, but {earlier!r} and {text!r} "
                "are given"
            )
    return given


def _is_empty(answer: object) -> bool:
    if isinstance(answer, str):
        return not answer.strip()
    if not isinstance(answer, (list, tuple)):
        return False
    return not answer or any(isinstance(one, str) and not one.strip() for one in answer)


def how_to_answer(request: HumanRequest) -> str:
    """Return how to answer the request."""
    if request.questions:
        return words().answer(request.run_id, [question.key for question in request.questions])
    if request.type == "approval":
        return words().approve(request.run_id)
    return "answer it in the web app"


def _names(questions: Sequence[Question]) -> dict[str, Question]:
    # A name may fit several questions: later ones override earlier ones.
    names = {str(number): question for number, question in enumerate(questions, 1)}
    names.update({question.header: question for question in questions if question.header})
    names.update({question.question: question for question in questions})
    names.update({question.id: question for question in questions if question.id})
    return names


def _pairs(
    answers: Answers, names: Mapping[str, Question], request: HumanRequest
) -> list[tuple[str, str]]:
    if hasattr(answers, "items"):
        pairs = [
            (str(key), choice)
            for key, text in answers.items()
            for choice in _choices(text, str(key), request)
        ]
    else:
        texts = [answers] if isinstance(answers, str) else answers
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            why = f"{answers!r} are not answers: give them by key, or as KEY=ANSWER"
            raise _unfit(why, request)
        pairs = [_split(text, names, request) for text in texts]
    for key, choice in pairs:
        if _is_empty(choice) and key in names:
            raise _unfit(f"the answer to {key!r} is empty", request)
    return pairs


def _split(text: str, names: Mapping[str, Question], request: HumanRequest) -> tuple[str, str]:
    # A question may contain "=": the longest known key wins.
    known = [name for name in names if text.startswith(f"{name}=")]
    if known:
        key = max(known, key=len)
        return key, text[len(key) + 1 :]
    key, found, value = text.partition("=")
    if not found:
        raise _unfit(f"{text!r} is not KEY=ANSWER", request)
    return key, value


def _choices(text: AnswerText, key: str, request: HumanRequest) -> Sequence[str]:
    if isinstance(text, str):
        return [text]
    if not isinstance(text, (list, tuple)) or not all(isinstance(choice, str) for choice in text):
        raise _unfit(f"the answer to {key!r} is {text!r}, which is not text", request)
    # Choosing nothing is an empty answer.
    return text or [""]


def _unfit(why: str, request: HumanRequest) -> InvalidReply:
    return InvalidReply(
        f"the reply does not fit the request ({describe(request)}): {why}; "
        f"nothing was sent; answer with: {how_to_answer(request)}",
        request=request,
    )


def summarize(request: HumanRequest, body: dict[str, Any]) -> str:
    """Return a reply in a few words, for the log."""
    if "approved" in body:
        return f"{'approved' if body['approved'] else 'denied'} {request.title!r}"
    answers = "; ".join(f"{question!r}: {answer!r}" for question, answer in body["answers"].items())
    return f"answered {request.title!r} ({answers})"


def describe(request: HumanRequest) -> str:
    """Return a human request in one line."""
    text = f"{request.type} {request.title!r}"
    for question in request.questions:
        options = ", ".join(option.label for option in question.options)
        text += f"; {question.key}: {question.question!r}" + (f" ({options})" if options else "")
    return text
