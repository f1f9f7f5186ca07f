"""Checks of a response's JSON. Errors name the request and the place."""

from __future__ import annotations

import contextlib

from .._errors import OutcomeUnknown, UnexpectedAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@contextlib.contextmanager
def request_context(method: str, path: str, find_out: str = "") -> Iterator[None]:
    """Add the request to the errors that are raised while its response is checked.

    For a change the error is `OutcomeUnknown`; `find_out` says how to find out whether
    the change happened.
    """
    try:
        yield
    except UnexpectedAnswer as error:
        if error.path is not None:
            raise
        text = f"{method} {path}: {error}"
        if method == "GET":
            raise UnexpectedAnswer(
                text, method=method, path=path, may_pass=error.may_pass
            ) from None
        raise OutcomeUnknown(
            f"{text}; the change has probably happened{'; ' + find_out if find_out else ''}",
            method=method,
            path=path,
        ) from error


def expect_dict(value: object, where: str) -> dict[str, Any]:
    """Return the value, a JSON object; else raise `UnexpectedAnswer`, with its place."""
    if not isinstance(value, dict):
        raise _unexpected(value, where, "an object")
    return value


def expect_list(value: object, where: str) -> list[Any]:
    """Return the value, a JSON array; else raise `UnexpectedAnswer`, with its place."""
    if not isinstance(value, list):
        raise _unexpected(value, where, "an array")
    return value


def expect_text(value: object, where: str) -> str:
    """Return the value, text that is not empty; else raise `UnexpectedAnswer`, with its place."""
    if not isinstance(value, str) or not value:
        raise _unexpected(value, where, "text")
    return value


def expect_items(data: object, name: str) -> list[dict[str, Any]]:
    """Return the items of a list call: objects, each with an id, in the field with this name."""
    items = expect_list(expect_dict(data, "the top").get(name), name)
    for number, item in enumerate(items):
        where = f"{name}[{number}]"
        expect_text(expect_dict(item, where).get("id"), f"{where}.id")
    return items


def expect_field(data: object, name: str) -> dict[str, Any]:
    """Return the JSON object in this field."""
    return expect_dict(expect_dict(data, "the top").get(name), name)


def count(value: object) -> int | None:
    """Return the value as a count, or None if it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 2**53 else None


def _unexpected(value: object, where: str, expected: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"the response has {_kind(value)} at {where}, where {expected} was expected"
    )


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean"}
    return names.get(type(value), f"the number {value!r}"[:40])
