"""Log records, as lines on stderr."""

from __future__ import annotations

import logging
import os
import sys

from . import terminal

_OFF = ("", "0", "false", "no", "off")


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.name == "duvo.pace" and record.levelno < logging.WARNING:
            # The time until the next poll belongs on the status line.
            if terminal.shown is not None:
                terminal.shown.detail = text
            if not _debugging():
                return
        if getattr(record, "traceback", ""):
            # Line by line, as its author knows it.
            text, *rest = text.splitlines()
            terminal.say(text, *rest)
        else:
            terminal.say(text)


def show(*, debug: bool, handler: logging.Handler | None = None) -> None:
    """Show warnings; in a terminal, long pauses too; when debugging, every request.

    Args:
        handler: writes the records in another form.
    """
    logger = logging.getLogger("duvo")
    if debug or os.environ.get("DUVO_DEBUG", "").strip().lower() not in _OFF:
        logger.setLevel(logging.DEBUG)
    else:
        logger.setLevel(logging.INFO if terminal.is_terminal(sys.stderr) else logging.WARNING)
    if not logger.handlers:
        logger.addHandler(handler or _Lines())


def hide_replies() -> None:
    """Hide single replies to human requests: a batch may have thousands."""
    if not _debugging():
        logging.getLogger("duvo.replies").setLevel(logging.WARNING)


def _debugging() -> bool:
    return logging.getLogger("duvo").isEnabledFor(logging.DEBUG)
