"""An iterator that can be closed."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from ._http.bodies import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

T = TypeVar("T")
S = TypeVar("S", bound="Stream[Any]")


class Stream(Generic[T]):
    """What comes from the server bit by bit: an iterator that can be closed from any thread.

    An error that it raised is raised again when it is asked for more.
    """

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._error: BaseException | None = None
        self._items = self._produce()

    def _produce(self) -> Iterator[T]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed.is_set():
            raise StopIteration
        if self._error is not None:
            raise self._error
        try:
            return next(self._items)
        except (Closed, StopIteration):
            raise StopIteration from None
        except BaseException as error:
            self._error = error
            raise

    def close(self) -> None:
        """End the iteration, also from another thread.

        A wait and a held request end within a second; a request that hangs
        ends with its own timeout.
        """
        self._closed.set()

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
