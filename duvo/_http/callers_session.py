"""A session of the caller's."""

from __future__ import annotations

import contextlib
import threading
from contextvars import copy_context

from .._forks import renew_in_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    import requests

    from .request import Request

    T = TypeVar("T")

_GRACE = 0.1
"""Seconds to wait for a thread after its deadline, since it knows what was sent."""


class CallersSession:
    """A session of the caller's: used unchanged, one request at a time, and never closed."""

    def __init__(self, session: requests.Session):
        self._session = session
        self._lock = threading.Lock()
        self._has_connections_of_parent = False
        renew_in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._has_connections_of_parent = True

    @contextlib.contextmanager
    def use(self, request: Request, timeout: float) -> Iterator[requests.Session]:
        """Lend the session, once no other request uses it."""
        lock = self._lock
        if not lock.acquire(timeout=request.seconds(timeout)):
            raise request.out_of_time(
                "timed out waiting for your `session`, busy with another request"
            )
        try:
            if self._has_connections_of_parent:
                self._has_connections_of_parent = False
                _forget_connections(self._session)
            yield self._session
        finally:
            lock.release()

    def may_resend(self, method: str) -> bool:
        """Whether its adapters send a request again by themselves, after it may have arrived."""
        for adapter in self._session.adapters.values():
            retry = getattr(adapter, "max_retries", None)
            methods = getattr(retry, "allowed_methods", ())
            if getattr(retry, "total", 0) != 0 and (not methods or method in methods):
                return True
        return False


def in_time(function: Callable[[], T], seconds: float) -> T:
    """Call a function in a thread, for connections that cannot be shut down.

    Raises `TimeoutError` when the time is up; the thread is left to end by itself.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    is_done = threading.Event()

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)
        is_done.set()

    context = copy_context()
    threading.Thread(target=context.run, args=(call,), name="duvo-session", daemon=True).start()
    if not is_done.wait(seconds + _GRACE):
        raise TimeoutError
    if errors:
        raise errors[0]
    return results[0]


def _forget_connections(session: requests.Session) -> None:
    # Not closed: another thread of the parent may have held a lock of theirs.
    from requests.adapters import HTTPAdapter

    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            _of_parents.append((adapter.poolmanager, adapter.proxy_manager))
            adapter.__setstate__(adapter.__getstate__())


_of_parents: list[object] = []
"""Connections of the parent process, which are never closed in this one."""
