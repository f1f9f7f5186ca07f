"""Loggers of other libraries, silenced while an engine runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def silenced(name: str) -> Iterator[None]:
    """Silence the logger; afterwards restore its level, handlers, filters and propagation."""
    log = logging.getLogger(name)
    handlers, filters = list(log.handlers), list(log.filters)
    level, propagate = log.level, log.propagate
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler in log.handlers:
            if handler not in handlers:
                handler.close()
        log.handlers[:], log.filters[:] = handlers, filters
        log.setLevel(level)
        log.propagate = propagate
