"""Agents that block the event loop of all runs, named in the log."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from types import FrameType
from typing import NamedTuple

from .._log.tracebacks import authors_frames, place_in
from .._text import logger
from .turn import call_agent

_INTERVAL = 1.0
"""Seconds between two looks at the loop."""

_LOOKS = 5
"""Consecutive looks that find the same call, after which it is logged."""


class Blocker(NamedTuple):
    """The call that blocks the loop: its agent, if known, and its place.

    Attributes:
        call: identifies the call while it lasts.
    """

    agent: str | None
    place: str
    call: int


class Blockage:
    """Decides what is logged, from one look at the loop to the next."""

    def __init__(self, looks: int = _LOOKS):
        self._looks = looks
        self._blocker: Blocker | None = None
        self._since = 0.0
        self._count = 0

    def look(self, blocker: Blocker | None, since: float, now: float) -> str | None:
        """Return the line to log, or None.

        Args:
            blocker: the call that blocks the loop, if any.
            since: the monotonic time at which the loop was last probed.
            now: the monotonic time.
        """
        # The first look may have come before the agent's call: the latest one names it.
        last, self._blocker = self._blocker, blocker
        if last is None or blocker is None or blocker.call != last.call:
            was_logged = self._count >= self._looks
            lasted = now - self._since
            self._since, self._count = since, 0
            if last is not None and was_logged:
                return f"the engine answers again; {_named(last)} had blocked it for {lasted:.0f} s"
        if blocker is not None:
            # Looks are counted, not seconds: the whole process may have been suspended.
            self._count += 1
            if self._count == self._looks:
                return (
                    f"{_named(blocker)} has blocked the engine for {now - self._since:.0f} s "
                    f"({blocker.place})"
                )
        return None


def watch(loop: asyncio.AbstractEventLoop, *, interval: float = _INTERVAL) -> None:
    """Log the agents that block this thread's loop, from a thread that ends with the loop."""
    threading.Thread(
        target=_watch,
        args=(loop, threading.get_ident(), interval),
        name="duvo-blocking",
        daemon=True,
    ).start()


def _watch(loop: asyncio.AbstractEventLoop, thread: int, interval: float) -> None:
    blockage = Blockage()

    def look(blocker: Blocker | None) -> None:
        if line := blockage.look(blocker, asked, time.monotonic()):
            logger.warning("%s", line)

    answered = threading.Event()
    while True:
        asked = time.monotonic()
        answered.clear()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed
            return
        while not answered.wait(interval):
            if loop.is_closed():
                return
            look(_blocker_in(sys._current_frames().get(thread)))
        look(None)
        time.sleep(interval)


def _blocker_in(frame: FrameType | None) -> Blocker | None:
    frames = authors_frames(frame)
    if not frames:
        return None
    while frame is not None and frame.f_code is not call_agent.__code__:
        frame = frame.f_back
    # Tasks that an agent creates do not show whose they are.
    agent = None if frame is None else frame.f_locals["agent"].name
    return Blocker(agent, place_in(frames[0]), id(frames[-1]))


def _named(blocker: Blocker) -> str:
    return "an agent" if blocker.agent is None else f"agent {blocker.agent}"
