"""The log of events of runs.

Each event is a record of the logger `duvo.local.runs`. Its attribute `event` holds the
event as JSON values, and `traceback` the traceback of a failure.
"""

from __future__ import annotations

import logging
from typing import Any

from .._text import storable, storable_json
from .tracebacks import format_error

_logger = logging.getLogger("duvo.local.runs")

_SHOWN_WIDTH = 60
"""Characters of a message or title that a line has."""


def started(run_id: str, agent: str, turn: int, message: str | None) -> None:
    kind = "started" if turn == 1 else "resumed"
    _log(kind, run_id, agent, _quoted(message), turn=turn, text=_shortened(message))


def asks(run_id: str, agent: str, request_id: str, title: str) -> None:
    _log("asks", run_id, agent, _quoted(title), request_id=request_id, title=_shortened(title))


def answered(run_id: str, agent: str, user_agent: str | None) -> None:
    """Log that a human request was answered, by a program with that `User-Agent`."""
    program = (user_agent or "").partition(" ")[0].partition("/")[0] or "API"
    _log("answered", run_id, agent, f" by {program}", verb="was answered", by=program)


def completed(run_id: str, agent: str, seconds: float) -> None:
    _log("completed", run_id, agent, _after(seconds), seconds=round(seconds, 3))


def stopped(run_id: str, agent: str, seconds: float | None) -> None:
    """Log that a run was stopped, so many seconds after its turn began, or before that."""
    known: dict[str, Any] = {} if seconds is None else {"seconds": round(seconds, 3)}
    _log("stopped", run_id, agent, _after(seconds), verb="was stopped", **known)


def failed(run_id: str, agent: str, seconds: float, reason: str, error: BaseException) -> None:
    _log(
        "failed",
        run_id,
        agent,
        f"{_after(seconds)}: {reason}",
        traceback=format_error(error),
        seconds=round(seconds, 3),
        failure=reason,
    )


def _log(
    kind: str,
    run_id: str,
    agent: str,
    details: str,
    *,
    verb: str | None = None,
    traceback: str = "",
    **fields: object,
) -> None:
    level = logging.ERROR if traceback else logging.INFO
    if not _logger.isEnabledFor(level):
        return
    line = f"run {run_id[:8]} ({agent}) {verb or kind}{details}"
    # A lone surrogate in an agent's text would make the handlers of the log fail.
    event = storable_json({"event": kind, "run_id": run_id, "agent": agent, **fields})
    text = storable(f"{line}\n{traceback}" if traceback else line)
    _logger.log(level, "%s", text, extra={"event": event, "traceback": storable(traceback)})


def _quoted(text: str | None) -> str:
    shown = _shortened(text)
    return f": {shown}" if shown else ""


def _shortened(text: str | None) -> str:
    # A message may have millions of characters.
    line = " ".join((text or "")[: 10 * _SHOWN_WIDTH].split())
    return line if len(line) <= _SHOWN_WIDTH else f"{line[: _SHOWN_WIDTH - 1].rstrip()}…"


def _after(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f" after {seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f" after {minutes} min {rest} s"
    return f" after {minutes // 60} h {minutes % 60} min"
