"""Holding a request until there is something to tell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

from starlette.responses import JSONResponse, Response, StreamingResponse

from .._notifier import Notifier

T = TypeVar("T")

_HEARTBEAT = 0.5
"""Seconds between two blanks that show the client that the server is there."""


class LongPolls:
    """Holds requests; `close` lets all of them go at once.

    Attributes:
        held: how many are held now.
    """

    def __init__(self, notifier: Notifier):
        self.held = 0
        self._notifier = notifier
        self._closing = False

    def close(self) -> None:
        """Answer every held request now, and hold none any more."""
        self._closing = True
        self._notifier.ring_all()

    async def answer(
        self,
        run_id: str,
        wait: float,
        read: Callable[[], Awaitable[T]],
        is_due: Callable[[T], bool],
        body: Callable[[T], dict[str, Any]],
    ) -> Response:
        """Answer with what was read, when it is due or the time is up.

        Args:
            run_id: the run of which a change may make it due.
            wait: seconds to hold the request at most.
            read: reads anew.
            is_due: whether what was read is worth an answer.
            body: the answer's JSON.
        """
        view = await read()
        if wait <= 0 or self._closing or is_due(view):
            return JSONResponse(body(view))

        async def held() -> AsyncIterator[bytes]:
            deadline = time.monotonic() + wait
            with self._counted(), self._notifier.listening(run_id) as bell:
                while True:
                    bell.clear()
                    view = await read()
                    if self._closing or is_due(view):
                        break
                    while not bell.is_set() and time.monotonic() < deadline:
                        # Blanks may stand before JSON; they also find out who hung up.
                        yield b" "
                        left = deadline - time.monotonic()
                        try:
                            await asyncio.wait_for(bell.wait(), max(0.0, min(_HEARTBEAT, left)))
                        except asyncio.TimeoutError:
                            continue
                    if not bell.is_set():
                        break
            yield json.dumps(body(view)).encode()

        return StreamingResponse(held(), media_type="application/json")

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1
