"""What somebody typed at a prompt, as a reply. Pure."""

from __future__ import annotations

from ..output.terminal import in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from duvo import Question

    T = TypeVar("T")


class NotUnderstood(Exception):
    """What was typed is no reply; the text says what would be one."""


class Skipped(Exception):
    """This request is left, and the next one is asked."""


class Quit(Exception):
    """This request and all that follow are left."""


def decision(text: str) -> bool:
    """Whether the text approves.

    Raises:
        NotUnderstood: it neither approves nor denies.
    """
    if text.lower() in ("y", "yes", "approve"):
        return True
    if text.lower() in ("n", "no", "deny"):
        return False
    raise NotUnderstood("type y to approve or n to deny")


def prompt(question: Question) -> list[str]:
    """The lines that ask a question; the last one is for the answer to stand behind."""
    lines = [in_one_line(question.question)]
    lines += [
        f"  {number}) {in_one_line(option.label)}"
        for number, option in enumerate(question.options, 1)
    ]
    how = "Answer"
    if question.options:
        how = "Numbers, joined by commas" if question.multi_select else "Number"
    return [*lines, f"{how}: "]


def answers_to(question: Question) -> Callable[[str], str]:
    """What reads an answer to that question; an option may be given by number or by label."""

    def read(text: str) -> str:
        if not text:
            raise NotUnderstood("type an answer")
        if not question.options:
            return text
        if _option(question, text) is not None or not question.multi_select:
            return _expected(question, text)
        return ",".join(_expected(question, part.strip()) for part in text.split(","))

    return read


def unless_left(understand: Callable[[str], T]) -> Callable[[str], T]:
    """What reads a reply, and also that there shall be none: where it is no reply, nothing or
    `s` skips the request, and `q` quits."""

    def read(text: str) -> T:
        try:
            return understand(text)
        except NotUnderstood:
            if text.lower() in ("", "s", "skip"):
                raise Skipped from None
            if text.lower() in ("q", "quit"):
                raise Quit from None
            raise

    return read


def _expected(question: Question, text: str) -> str:
    label = _option(question, text)
    if label is None:
        raise NotUnderstood(f"{in_one_line(text)!r} is none of 1 to {len(question.options)}")
    return label


def _option(question: Question, text: str) -> str | None:
    labels = [option.label for option in question.options]
    for label in labels:
        if text.casefold() == label.casefold():
            return label
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(labels):
        return labels[int(text) - 1]
    return None
