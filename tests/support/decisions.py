"""Decisions that other processes can import, and that leave a trace of where they were made."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from duvo import HumanRequest


def approve(folder: Path, request: HumanRequest) -> bool:
    """Yes; the process that says so is noted."""
    (folder / f"{request.id}-{os.getpid()}").touch()
    return True


def approve_and_kill_once(folder: Path, request: HumanRequest) -> bool:
    """Yes, but the first process that is asked is killed."""
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        return approve(folder, request)
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def approve_when_told(folder: Path, request: HumanRequest) -> bool:
    """Yes, as soon as there is a file `go`."""
    (folder / "asked").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return True


def die(request: HumanRequest) -> bool:
    """No process outlives the question."""
    os._exit(1)


def decided_by(folder: Path, request_id: str = "") -> set[int]:
    """The processes that decided, on one request or on all."""
    return {int(one.name.rpartition("-")[2]) for one in folder.glob(f"{request_id}*-*")}
