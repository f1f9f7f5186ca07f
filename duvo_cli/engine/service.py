"""Reports to a service manager, such as systemd, by the sd_notify protocol."""

from __future__ import annotations

import os
import socket
import sys

from . import log

_VARIABLE = "NOTIFY_SOCKET"
_TIMEOUT = 1.0
"""Timeout of a report, in seconds."""

READY = "READY=1"
STOPPING = "STOPPING=1"


class ServiceManager:
    """The manager that `NOTIFY_SOCKET` names; without the variable, nothing is reported.

    The variable is removed, so that programs that agents start do not inherit it. A
    report that fails is logged.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop(_VARIABLE, "")

    def report(self, state: str) -> None:
        """Report a state of this process: `READY` or `STOPPING`."""
        if not self._address:
            return
        try:
            _send(state, self._address)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            log.server.warning("cannot report %s to %s: %s", state, self._address, reason)


def _send(state: str, address: str) -> None:
    if sys.platform == "win32":
        raise ValueError("this system has no such sockets")
    if address.startswith("@"):
        # An abstract address: a name in the kernel, not a file.
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_TIMEOUT)
        sender.connect(os.fsencode(address))
        sender.send(state.encode())
