"""Signals are received in a thread of their own, whatever the main thread does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.forks import PYTHON_FOR_FORKS

START = """
import os, signal, sys, threading, time
from duvo_cli.engine.signals import Signals

signals = Signals()
"""


@contextlib.contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*arguments, *PYTHON_FOR_FORKS, "-c", START + program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def test_a_signal_that_another_thread_takes_is_received() -> None:
    program = """
def take():
    # Until the main thread waits, and so does nothing by itself.
    while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "wait":
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=take, daemon=True).start()
print(signals.wait())
"""
    with running(program) as process:
        assert next_line(process) == str(int(signal.SIGTERM))
        assert process.wait(60) == 0


def test_300_pairs_of_signals_are_received() -> None:
    program = """
print("ready", flush=True)
while True:
    print({signals.wait(), signals.wait()} == {signal.SIGHUP, signal.SIGTERM}, flush=True)
"""
    with running(program) as process:
        assert next_line(process) == "ready"
        for _ in range(300):
            # A handler that takes a lock would soon be interrupted while it holds the lock.
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert next_line(process) == "True"


def test_signals_that_were_ignored_stay_ignored() -> None:
    program = """
print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, flush=True)
print(signals.wait())
"""
    with running(program, "nohup") as process:
        assert next_line(process) == "True"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert next_line(process) == str(int(signal.SIGTERM))


def test_signals_received_earlier_are_handled_first() -> None:
    program = """
os.kill(os.getpid(), signal.SIGHUP)
while signals.pending() is None:
    pass
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
while signals._waiting.qsize() < 2:
    pass
with signals.ending_the_process(lambda: print("cleaned up", flush=True), [signal.SIGTERM]):
    time.sleep(60)
"""
    with running(program) as process:
        assert next_line(process) == "cleaned up"
        assert process.wait(60) == 128 + signal.SIGTERM


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_signal_to_a_forked_process_ends_that_process_alone(thread: str) -> None:
    program = f"""
def fork():
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)

if {thread!r} == "main":
    fork()
else:
    threading.Thread(target=fork).start()
print(signals.wait(), flush=True)
"""
    with running(program) as process:
        assert next_line(process) == str(int(signal.SIGTERM))
        process.send_signal(signal.SIGINT)
        assert next_line(process) == str(int(signal.SIGINT))
