"""Requests of a batch that are left to whoever answers elsewhere: told once, not one by one."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from ..client import command_line
from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from duvo import HumanRequest, Results

_LOOK_EVERY = 1.0


def leave(request: HumanRequest) -> None:
    """Leave the request, and say nothing of it; what `on_request` may be."""


@contextmanager
def told_once(results: Results, args: argparse.Namespace) -> Iterator[None]:
    """Say, as soon as a run of the batch waits for a human, where all that waits is shown."""
    over = threading.Event()
    show = command_line(args, "runs", "inbox", "--agent", args.agent)

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            if results.progress.waiting:
                terminal.say(f"runs wait for a human; `{show}` shows what they ask")
                return

    # The batch itself may be busy elsewhere, and its requests are met by other processes.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
