"""Signals that another thread takes."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import signal, sys, threading
from duvo_cli.engine.signals import signals_interrupt_the_main_thread

received = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: received.set())

def take() -> None:
    waiting.wait()
    # Until the main thread waits, and so does nothing by itself.
    while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "wait":
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

waiting = threading.Event()
threading.Thread(target=take, daemon=True).start()
with signals_interrupt_the_main_thread():
    waiting.set()
    received.wait()
print("ended")
"""


def test_a_signal_that_another_thread_takes_interrupts_the_main_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")
