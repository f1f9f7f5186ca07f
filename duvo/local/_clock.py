"""The clock of this process's engine: the time of day, which tests stop and set ahead."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """The time of day, and how far it is ahead of the machine's."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        """Return the seconds since the epoch."""
        stopped_at = self._stopped_at
        return time.time() + self._ahead if stopped_at is None else stopped_at

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no time pass inside the block, except by `set_ahead`."""
        self._stopped_at = self.now()
        try:
            yield
        finally:
            self._ahead = self._stopped_at - time.time()
            self._stopped_at = None

    def set_ahead(self, moment: float) -> None:
        """Set the stopped clock to the moment, unless it is later already."""
        assert self._stopped_at is not None
        self._stopped_at = max(self._stopped_at, moment)

    def reset(self) -> None:
        """Return to the machine's time."""
        self._ahead = 0.0


clock = Clock()
