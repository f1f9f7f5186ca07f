"""Parses what is typed at a prompt into a reply. Pure."""

from __future__ import annotations

from collections.abc import Callable

import duvo

from ..output.terminal import in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


class NotUnderstood(Exception):
    """The text is not a reply; the error says what would be one."""


class Skipped(Exception):
    """Leave this request unanswered and continue with the next."""


class Quit(Exception):
    """Leave this request and all that follow unanswered."""


def decision(text: str) -> bool:
    """Return whether the text approves, or raise `NotUnderstood`."""
    if text.lower() in ("y", "yes", "approve"):
        return True
    if text.lower() in ("n", "no", "deny"):
        return False
    raise NotUnderstood("type y to approve or n to deny")


def prompt(question: duvo.Question) -> list[str]:
    """The lines that ask a question; the answer is typed after the last."""
    lines = [in_one_line(question.question)]
    lines += [
        f"  {number}) {in_one_line(option.label)}"
        for number, option in enumerate(question.options, 1)
    ]
    label = "Answer"
    if question.options:
        label = "Numbers, separated by commas" if question.multi_select else "Number"
    return [*lines, f"{label}: "]


def answers_to(question: duvo.Question) -> Callable[[str], str]:
    """A parser of answers to the question, which takes options by number or label."""

    def parse(text: str) -> str:
        if not text:
            raise NotUnderstood("type an answer")
        if not question.options:
            return text
        if _option(question, text) is not None or not question.multi_select:
            return _required_option(question, text)
        return ",".join(_required_option(question, part.strip()) for part in text.split(","))

    return parse


def unless_left(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser that also takes nothing or `s` to skip the request, and `q` to quit.

    A word that `parse` accepts is a reply.
    """

    def parse_or_leave(text: str) -> T:
        try:
            return parse(text)
        except NotUnderstood:
            if text.lower() in ("", "s", "skip"):
                raise Skipped from None
            if text.lower() in ("q", "quit"):
                raise Quit from None
            raise

    return parse_or_leave


def _required_option(question: duvo.Question, text: str) -> str:
    label = _option(question, text)
    if label is None:
        raise NotUnderstood(
            f"{in_one_line(text)!r} is not an option; type 1 to {len(question.options)}"
        )
    return label


def _option(question: duvo.Question, text: str) -> str | None:
    labels = [option.label for option in question.options]
    for label in labels:
        if text.casefold() == label.casefold():
            return label
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(labels):
        return labels[int(text) - 1]
    return None
