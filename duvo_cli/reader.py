"""Notices that the reader of stdout has gone, before the next line is written."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Closable(Protocol):
        def close(self) -> None: ...


def register(poll: Any) -> None:
    """Make a `select.poll` also return when the reader of stdout has gone."""
    if _has_reader():
        poll.register(sys.stdout, 0)


@contextmanager
def needed(iterator: Closable) -> Iterator[None]:
    """Close the iterator as soon as the reader of stdout has gone; then raise BrokenPipeError.

    `tail -f | grep -m1` ends alike. Only pipes and sockets have readers.
    """
    if not _has_reader():
        yield
        return
    # The write end closes with the block, which ends the thread.
    over, end_of_block = os.pipe()
    gone = threading.Event()

    def watch() -> None:
        poll: Any = select.poll()  # type: ignore[attr-defined, unused-ignore]
        register(poll)
        poll.register(over, 0)
        if any(descriptor != over for descriptor, _ in poll.poll()):
            gone.set()
            iterator.close()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end_of_block)
        thread.join()
        os.close(over)
    if gone.is_set():
        raise BrokenPipeError


def _has_reader() -> bool:
    if sys.stdout is None or not hasattr(select, "poll"):
        # On Windows, the next write notices.
        return False
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
