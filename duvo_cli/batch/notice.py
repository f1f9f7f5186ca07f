"""Human requests of a batch that are answered elsewhere: announced once, not one by one."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

import duvo

from ..output import terminal
from ..output.command_line import command_line


def leave(request: duvo.HumanRequest) -> None:
    """Leave the request without a word; can be the SDK's `on_request`."""


@contextmanager
def announced_once(results: duvo.Results, args: Namespace) -> Iterator[None]:
    """During a block, say how to list the requests as soon as a run waits for a human."""
    over = threading.Event()
    show = command_line(args, "runs", "inbox", "--agent", args.agent)

    def watch() -> None:
        while not over.wait(1.0):
            if results.progress.waiting:
                terminal.say(f"runs are waiting for a human; `{show}` shows their requests")
                return

    # The batch itself may be busy, and other processes may handle its requests.
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
