"""An answer that cannot be understood, told with the request that it answers."""

from __future__ import annotations

import contextlib

from .._errors import OutcomeUnknown, UnexpectedAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def understanding(method: str, path: str, find_out: str = "") -> Iterator[None]:
    """Within it the answer to that request is taken apart.

    Args:
        method: of the request.
        path: of the request.
        find_out: how to find out what a change did.

    Raises:
        UnexpectedAnswer: the answer to a read is not what the API says.
        OutcomeUnknown: the answer to a change is not: it was sent, and probably done.
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
            ) from error
        raise OutcomeUnknown(
            f"{text}; it was probably done all the same{'; ' + find_out if find_out else ''}",
            method=method,
            path=path,
        ) from error
