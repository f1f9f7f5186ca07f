"""The doorbell: wakes what waits for a run, so that nothing has to ask again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Notifier:
    """Wakes the waiters of a run; belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def listening(self, run_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the run changes.

        Listen first, then read, then wait: a change between is not missed.
        """
        bell = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(bell)
        try:
            yield bell
        finally:
            waiting = self._waiting[run_id]
            waiting.discard(bell)
            if not waiting:
                del self._waiting[run_id]

    def ring(self, run_id: str) -> None:
        """Wake everything that waits for the run."""
        for bell in self._waiting.get(run_id, ()):
            bell.set()

    def ring_all(self) -> None:
        """Wake everything, as when the engine closes."""
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()
