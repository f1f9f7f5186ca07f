"""Long polling: requests that are held until there is something to return."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import JSONResponse, Response, StreamingResponse

from .._notifier import Notifier
from .._store.queries import View

MAX_WAIT = 25
"""Seconds for which a request is held at most; announced in every response."""

_HEARTBEAT = 0.5
"""Seconds between two blanks that show the client that the server is alive."""


class LongPolls:
    """Holds requests, and answers all of them when the server shuts down."""

    def __init__(self, notifier: Notifier):
        self.held = 0  # the number of requests that are held now
        self._notifier = notifier
        self._closing = False

    def close(self) -> None:
        """Respond to every held request now, and hold no more."""
        self._closing = True
        self._notifier.notify_all()

    async def respond(
        self,
        run_id: str,
        wait: float,
        read: Callable[[], Awaitable[View]],
        is_due: Callable[[View], bool],
    ) -> Response:
        """Respond with what was read, again after each change, when it is due or `wait` is over."""
        view = await read()
        if wait <= 0 or self._closing or is_due(view):
            return JSONResponse(view.body)

        async def held() -> AsyncIterator[bytes]:
            deadline = time.monotonic() + wait
            self.held += 1
            try:
                with self._notifier.subscribe(run_id) as changes:
                    while True:
                        changes.clear()
                        view = await read()
                        if self._closing or is_due(view):
                            break
                        while not changes.is_set() and time.monotonic() < deadline:
                            # Blanks may precede JSON; they also detect a lost client.
                            yield b" "
                            timeout = min(_HEARTBEAT, deadline - time.monotonic())
                            with contextlib.suppress(asyncio.TimeoutError):
                                await asyncio.wait_for(changes.wait(), timeout)
                        if not changes.is_set():
                            break
            finally:
                self.held -= 1
            yield json.dumps(view.body).encode()

        return StreamingResponse(held(), media_type="application/json")
