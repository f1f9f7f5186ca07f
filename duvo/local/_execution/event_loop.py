"""Running an event loop to its end, without waiting for what does not want to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .._threads import EngineLoop

_PATIENCE = 0.5
"""Seconds that what is left has to end in once it was cancelled."""


_left_behind: set[asyncio.Task[Any]] = set()
"""Kept, since their ends would be told on stderr when they are thrown away."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Like `asyncio.run`, except that what takes no notice of being cancelled is left behind."""
    loop = EngineLoop()
    # What carries turns out is launched on the loop, which takes more than an instant.
    loop.slow_callback_duration = 2.0
    try:
        loop.run_until_complete(work)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                _, still = loop.run_until_complete(asyncio.wait(left, timeout=_PATIENCE))
                _left_behind.update(still)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
