"""Signals, received in a thread of their own."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

_HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM, *_HANGUP)
"""The signals that end a command; SIGHUP where there is one, so not on Windows."""


class Signals:
    """Receives the signals of `ENDING` from its creation to the end of the process.

    A signal that was ignored before, as by `nohup`, stays ignored. The handlers
    do nothing: they may run while the main thread holds any lock, and do not run
    while it waits in C. Instead the interpreter writes each signal's number into
    a pipe, at once, and a thread reads it.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._handle: Callable[[int], object] = self._waiting.put
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        if hasattr(os, "set_blocking"):
            os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        before: dict[int, Any] = {number: signal.getsignal(number) for number in ENDING}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, _do_nothing)
        _keep_from_forks(writing, before)
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def receive(self, number: int) -> None:
        """Do what receiving the signal does, even if the signal is ignored."""
        with self._lock:
            self._handle(number)

    def wait(self) -> int:
        """Return the number of the next signal, once there is one."""
        return self._waiting.get()

    def pending(self) -> int | None:
        """Return the number of the next signal if it has been received already."""
        with contextlib.suppress(queue.Empty):
            return self._waiting.get_nowait()
        return None

    @contextlib.contextmanager
    def handled_by(self, function: Callable[[int], object]) -> Iterator[None]:
        """Inside the block, call the function in another thread with each signal's number.

        It is first called with the signals that `wait` has not returned.
        """
        with self._lock:
            received = list(iter(self.pending, None))
            for number in received:
                function(number)
            self._handle = function
        try:
            yield
        finally:
            with self._lock:
                self._handle = self._waiting.put

    @contextlib.contextmanager
    def ending_the_process(
        self, clean_up: Callable[[], object], numbers: Collection[int]
    ) -> Iterator[None]:
        """Inside the block, end the process at one of these signals, whatever it waits for."""

        def end(number: int) -> None:
            if number not in numbers:
                self._waiting.put(number)
                return
            try:
                clean_up()
            finally:
                os._exit(128 + number)

        with self.handled_by(end):
            yield

    def _read(self, reading: int) -> None:
        while True:
            number = os.read(reading, 1)[0]
            if number in ENDING:
                self.receive(number)


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


def _do_nothing(number: int, frame: object) -> None:
    pass


def _keep_from_forks(pipe: int, before: Mapping[int, Any]) -> None:
    if sys.platform == "win32" or not hasattr(os, "register_at_fork"):
        return

    # A forked process must neither write into this process's pipe nor be deaf to signals.
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def reset() -> None:
        signal.set_wakeup_fd(-1)
        os.close(pipe)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=reset)
