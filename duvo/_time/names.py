"""Looking up host names within a time limit, which the system's resolver does not take."""

from __future__ import annotations

import socket
import threading

from .._forks import call_in_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def addresses(host: str, port: int, family: int, seconds: float) -> Sequence[str]:
    """Return the addresses of a host.

    Raises:
        TimeoutError: there was no answer in time.
        OSError: the name cannot be resolved.
    """
    wanted = (host, port, family)
    with _lock:
        lookup = _pending.get(wanted)
        if lookup is None:
            lookup = _pending[wanted] = _Lookup(host, port, family)
    if not lookup.is_done.wait(seconds):
        raise TimeoutError(f"no answer about the name {host}")
    if lookup.error is not None:
        raise lookup.error
    return lookup.found


class _Lookup:
    """A look-up in a thread, which cannot be ended: all that want the name wait for the same."""

    def __init__(self, host: str, port: int, family: int):
        self._wanted = (host, port, family)
        self.is_done = threading.Event()
        self.found: Sequence[str] = ()
        self.error: Exception | None = None
        threading.Thread(target=self._run, name="duvo-names", daemon=True).start()

    def _run(self) -> None:
        host, port, family = self._wanted
        try:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            self.found = [str(address[0]) for *_, address in found]
        except Exception as error:
            self.error = error
        with _lock:
            _pending.pop(self._wanted, None)
        self.is_done.set()


@call_in_child
def _begin_again() -> None:
    # A forked process does not have the threads.
    global _lock
    _lock = threading.RLock()
    _pending.clear()


_pending: dict[tuple[str, int, int], _Lookup] = {}
_lock = threading.RLock()
