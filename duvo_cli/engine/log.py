"""The log of `duvo dev` and `duvo serve`: events of runs and of the server."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timezone

from duvo import local

from ..output import logs, terminal, times

FORMATS = ("text", "json")

_ARGUMENT = re.compile(
    r"(?<!\S)(port|host|database|tls_cert|tls_key|insecure)=(?:True)?(?=[\s,;.]|$)"
)
"""An argument of `Server`; not a part of the user's database URL or path, which has a value."""

server = logging.getLogger("duvo.server")
"""Of the server itself: its start, its end, and what it reads again."""


def show(*, debug: bool, quiet: bool, timed: str | None = None) -> None:
    """Log to stderr.

    Args:
        quiet: of runs, log failures alone.
        timed: a format that has times, `text` or `json`; None for lines without.
    """
    formats: dict[str | None, Callable[[logging.LogRecord], list[str]]]
    formats = {"text": _as_text, "json": _as_json}
    logs.show(debug=debug, handler=_Timed(formats[timed]) if timed else None)
    # Agents may configure logging for themselves.
    logging.getLogger("duvo").propagate = False
    server.setLevel(logging.INFO)
    logging.getLogger("duvo.local.runs").setLevel(logging.ERROR if quiet else logging.INFO)


def text_of(error: local.EngineError) -> str:
    """Return the text of an error, with the names of flags in place of arguments of `Server`."""
    return _ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')}", str(error))


def report(error: local.EngineError) -> None:
    """Write the traceback of an agent file's own exception to stderr."""
    if isinstance(error, local.AgentFileError) and error.traceback:
        terminal.write_aside(terminal.harmless(error.traceback).splitlines())


class _Timed(logging.Handler):
    def __init__(self, lines_of: Callable[[logging.LogRecord], list[str]]):
        super().__init__()
        self._lines_of = lines_of

    def emit(self, record: logging.LogRecord) -> None:
        terminal.write_aside(self._lines_of(record))


def _as_text(record: logging.LogRecord) -> list[str]:
    text, *traceback = _parts(record)
    line = f"{_time_of(record)} {terminal.in_one_line(text)}"
    return [line, *(terminal.harmless(part) for part in traceback)]


def _as_json(record: logging.LogRecord) -> list[str]:
    text, *traceback = _parts(record)
    document = {
        "time": _time_of(record),
        "level": record.levelname.lower(),
        "message": text,
        **getattr(record, "event", {}),
    }
    if traceback:
        document["traceback"] = "\n".join(traceback)
    return [json.dumps(document)]


def _parts(record: logging.LogRecord) -> list[str]:
    text = record.getMessage()
    return text.splitlines() if getattr(record, "traceback", "") else [text]


def _time_of(record: logging.LogRecord) -> str:
    return times.iso(datetime.fromtimestamp(record.created, timezone.utc))
