"""Signals that have an effect at once, whatever the main thread waits for."""

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
_WAKE_UP = signal.SIGURG  # ignored by default


@contextlib.contextmanager
def signals_end_the_process(
    clean_up: Callable[[], object], numbers: Collection[int] = ENDING
) -> Iterator[None]:
    """During a block, let signals such as Ctrl-C end the process whatever it waits for.

    Python runs signal handlers only when a call into C returns, and a call that
    waits for a database may not. The wake-up byte is written at once. `clean_up`
    is called in another thread; signals not among `numbers` wait for their handlers.
    """

    def end(number: int) -> None:
        if number in numbers:
            try:
                clean_up()
            finally:
                os._exit(128 + number)

    with _watched(end):
        yield


@contextlib.contextmanager
def signals_interrupt_the_main_thread() -> Iterator[None]:
    """During a block, let each signal interrupt whatever the main thread waits for.

    On a busy machine another thread may take the signal. Its handler then waits
    for the main thread, which nothing wakes.
    """
    main = threading.main_thread().ident
    assert main is not None
    awake = False

    def wake_up(number: int, frame: object) -> None:
        nonlocal awake
        awake = True

    def interrupt(number: int) -> None:
        nonlocal awake
        awake = number == _WAKE_UP
        # Repeated, since the main thread may be just about to wait.
        while not awake:
            signal.pthread_kill(main, _WAKE_UP)
            time.sleep(0.05)

    before = signal.signal(_WAKE_UP, wake_up)
    try:
        with _watched(interrupt):
            yield
    finally:
        signal.signal(_WAKE_UP, before)


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


@contextlib.contextmanager
def _watched(react: Callable[[int], None]) -> Iterator[None]:
    """During a block, call a function in another thread with the number of each signal."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def watch() -> None:
        while (number := os.read(reading, 1)[0]) != _NO_SIGNAL:
            react(number)

    watcher = threading.Thread(target=watch, daemon=True)
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
