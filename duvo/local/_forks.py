"""Descriptors of the engine, which a process forked by a tool must not keep open."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_kept: list[Callable[[int], bool]] = []


@contextlib.contextmanager
def kept_from_forks(is_ours: Callable[[int], bool]) -> Iterator[None]:
    """Inside the block, close in each forked process the descriptors that are ours.

    `is_ours` is called there, with every open descriptor.
    """
    _kept.append(is_ours)
    try:
        yield
    finally:
        _kept.remove(is_ours)


def _close() -> None:
    if not _kept:
        return
    opened = [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    ours = [descriptor for descriptor in opened if _is_ours(descriptor)]
    # Replaced rather than closed: objects of this process will close the numbers again. Read-only:
    # SQLite must not get a lock on it and believe that it holds the database.
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor in ours:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _is_ours(descriptor: int) -> bool:
    for is_ours in _kept:
        with contextlib.suppress(OSError):
            if is_ours(descriptor):
                return True
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close)
