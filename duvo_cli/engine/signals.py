"""Ends the process at once, even inside calls that cannot be interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NO_SIGNAL = 0


@contextlib.contextmanager
def signals_end_the_process(
    clean_up: Callable[[], object], numbers: Collection[int] = ENDING
) -> Iterator[None]:
    """During a block, let signals such as Ctrl-C end the process whatever it waits for.

    Python runs signal handlers only when a call into C returns, and a call that
    waits for a database may not. The wake-up byte is written at once. `clean_up`
    is called in another thread; signals not among `numbers` wait for their handlers.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_watch, args=(reading, clean_up, numbers), daemon=True)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(writing, bytes([_NO_SIGNAL]))
        watcher.join()
        os.close(reading)
        os.close(writing)


def end_within(seconds: float) -> None:
    """End the process after some seconds, unless it has ended by itself.

    On exit the interpreter waits for its threads, which may be waiting for a
    database that does not answer.
    """

    def end() -> None:
        time.sleep(seconds)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()


def _watch(reading: int, clean_up: Callable[[], object], numbers: Collection[int]) -> None:
    while (number := os.read(reading, 1)[0]) != _NO_SIGNAL:
        if number in numbers:
            try:
                clean_up()
            finally:
                os._exit(128 + number)
