"""Decisions that other processes can import. Each leaves a file that names its process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from duvo import HumanRequest


def approve(folder: Path, request: HumanRequest) -> bool:
    """Approve, and record the process."""
    (folder / f"{request.id}-{os.getpid()}").touch()
    return True


def approve_and_kill_once(folder: Path, request: HumanRequest) -> bool:
    """Kill the process that is asked first; approve from then on."""
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        return approve(folder, request)
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def approve_when_told(folder: Path, request: HumanRequest) -> bool:
    """Approve once there is a file `go`."""
    (folder / "asked").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return True


def die(request: HumanRequest) -> bool:
    """End the process that is asked."""
    os._exit(1)


def decided_by(folder: Path, request_id: str = "") -> set[int]:
    """Return the processes that decided on a request, or on any."""
    return {int(file.name.rpartition("-")[2]) for file in folder.glob(f"{request_id}*-*")}
