"""Parses what is typed at a prompt into a reply. Pure."""

from __future__ import annotations

from collections.abc import Callable

import duvo

from ..output.terminal import in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

_SKIP = ("s", "skip")
_QUIT = ("q", "quit")


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


def prompt(question: duvo.Question, *, is_only: bool) -> str:
    """The text after which the answer to a question, which was shown, is typed."""
    label = "Answer"
    if question.options:
        several = "Numbers or text, separated by commas"
        label = several if question.multi_select else "Number or text"
    key = "" if is_only else f"[{in_one_line(question.key)}] "
    return f"{key}{label}: "


def answers_to(question: duvo.Question) -> Callable[[str], str]:
    """A parser of answers to the question: options by number or label, or other text.

    A number that is not an option's is a slip; in quotation marks it is text.
    """

    def parse(text: str) -> str:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not text.strip('" ') or (question.multi_select and not parts):
            raise NotUnderstood("type an answer")
        if not question.options:
            return text
        if _option(question, text) is None and question.multi_select:
            return ",".join(dict.fromkeys(_option_or_text(question, part) for part in parts))
        return _option_or_text(question, text)

    return parse


def unless_left(
    question: duvo.Question | None, parse: Callable[[str], T], *, first: bool
) -> Callable[[str], T]:
    """A parser that also takes `s` to skip the request, and `q` to quit.

    Nothing skips it too, at its `first` question. An option may be one of these
    words; as free text it is put in quotation marks.
    """

    def parse_or_leave(text: str) -> T:
        word = text.lower()
        is_option = question is not None and _option(question, text) is not None
        if (word in _SKIP and not is_option) or (first and not text):
            raise Skipped
        if word in _QUIT and not is_option:
            raise Quit
        is_free = question is not None and not question.options
        if is_free and _unquoted(text).lower() in _SKIP + _QUIT:
            return parse(_unquoted(text))
        return parse(text)

    return parse_or_leave


def _option_or_text(question: duvo.Question, text: str) -> str:
    label = _option(question, text)
    if label is not None:
        return label
    if text.replace(",", "").replace(" ", "").isdecimal():
        raise NotUnderstood(
            f"{in_one_line(text)!r} is not an option; type 1 to {len(question.options)}, "
            f'or "{in_one_line(text)}" with the quotation marks as text'
        )
    return _unquoted(text)


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 2 and text[0] == text[-1] == '"'
    return text[1:-1] if is_quoted else text


def _option(question: duvo.Question, text: str) -> str | None:
    labels = [option.label for option in question.options]
    for label in labels:
        if text.casefold() == label.casefold():
            return label
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(labels):
        return labels[int(text) - 1]
    return None
