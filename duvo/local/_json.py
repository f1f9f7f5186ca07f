"""The types of values that JSON keeps, for type checkers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias, TypeVar

V = TypeVar("V", covariant=True)


class _List(Protocol[V]):
    """A list, of whatever JSON keeps; not a tuple, which becomes a list."""

    def __iter__(self) -> Iterator[V]: ...
    def reverse(self) -> None: ...


class _Dict(Protocol[V]):
    """A dict with keys of text; others become text."""

    def items(self) -> Iterable[tuple[str, V]]: ...
    def popitem(self) -> tuple[str, V]: ...


JSON: TypeAlias = "bool | int | float | str | _List[JSON] | _Dict[JSON] | None"

J = TypeVar("J", bound=JSON)
