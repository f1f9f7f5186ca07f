"""Human requests of a batch that are answered elsewhere: announced once, not one by one."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from ..output import terminal
from ..output.command_line import command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from duvo import HumanRequest, Results

_CHECK_EVERY = 1.0


def leave(request: HumanRequest) -> None:
    """Leave the request without a word; can be the SDK's `on_request`."""


@contextmanager
def announced_once(results: Results, args: argparse.Namespace) -> Iterator[None]:
    """During a block, say how to list the requests as soon as a run waits for a human."""
    over = threading.Event()
    show = command_line(args, "runs", "inbox", "--agent", args.agent)

    def watch() -> None:
        while not over.wait(_CHECK_EVERY):
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
