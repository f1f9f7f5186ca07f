"""Log records, as lines on stderr."""

from __future__ import annotations

import logging
import os
import sys

from . import terminal

_RATE_LIMIT = logging.getLogger("duvo.rate_limit")

_LONG = 10.0
"""Seconds of a pause that is reported outside a terminal too, once."""

_OFF = ("", "0", "false", "no", "off")


class _Lines(logging.Handler):
    _has_reported_pause = False

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.name == _RATE_LIMIT.name and not logging.getLogger("duvo").isEnabledFor(
            logging.INFO
        ):
            if self._has_reported_pause or not _is_long(record):
                return
            self._has_reported_pause = True
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

    Outside a terminal, the first long pause for the rate limit is shown.

    Args:
        handler: writes the records in another form.
    """
    logger = logging.getLogger("duvo")
    if debug or os.environ.get("DUVO_DEBUG", "").strip().lower() not in _OFF:
        logger.setLevel(logging.DEBUG)
    else:
        logger.setLevel(logging.INFO if terminal.is_terminal(sys.stderr) else logging.WARNING)
    if handler is None:
        _RATE_LIMIT.setLevel(min(logger.level, logging.INFO))
    if not logger.handlers:
        logger.addHandler(handler or _Lines())


def _is_long(record: logging.LogRecord) -> bool:
    seconds = record.args[0] if isinstance(record.args, tuple) and record.args else 0
    return isinstance(seconds, (int, float)) and seconds >= _LONG


def hide_replies() -> None:
    """Hide single replies to human requests: a batch may have thousands."""
    if not _debugging():
        logging.getLogger("duvo.replies").setLevel(logging.WARNING)


def _debugging() -> bool:
    return logging.getLogger("duvo").isEnabledFor(logging.DEBUG)
