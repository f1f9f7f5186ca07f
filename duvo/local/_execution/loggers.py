"""Other libraries' loggers, borrowed for the life of an engine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def borrowed(name: str, level: int) -> Iterator[None]:
    """Give the logger another level, and afterwards put everything about it back."""
    log = logging.getLogger(name)
    handlers, filters = list(log.handlers), list(log.filters)
    before, propagate = log.level, log.propagate
    log.setLevel(level)
    try:
        yield
    finally:
        for handler in log.handlers:
            if handler not in handlers:
                handler.close()
        log.handlers[:], log.filters[:] = handlers, filters
        log.setLevel(before)
        log.propagate = propagate
