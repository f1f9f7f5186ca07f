"""Tracebacks for authors of agents: every exception, with the frames of their own code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException
from types import FrameType
from typing import Any

from ..errors import ToolFailed

_PACKAGE = Path(__file__).parents[2]
_EXAMPLES = str(Path(__file__).parents[1] / "examples.py")
_LIBRARIES = (
    f"{_PACKAGE}{os.sep}",
    f"{Path(os.__file__).parent}{os.sep}",
    "<frozen ",
    "<attrs generated ",
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def format_error(error: BaseException) -> str:
    """Return the exceptions of the chain or group, each with its frames in the author's code."""
    # Of a group, all: the default is 15.
    options: dict[str, Any] = {}
    if sys.version_info >= (3, 11):
        options = {"max_group_width": sys.maxsize, "max_group_depth": 100}
    shown = TracebackException.from_exception(error, **options)
    _keep_authors_frames(shown, error)
    return "".join(shown.format()).rstrip("\n")


def place_of(error: BaseException) -> str | None:
    """Return the last place in the author's code that the exception came from: `file.py:12`."""
    for part in _chain(error):
        if isinstance(part, SyntaxError) and part.filename and _is_authors(part.filename):
            return f"{Path(part.filename).name}:{part.lineno}"
        for frame, line in reversed(list(traceback.walk_tb(part.__traceback__))):
            if _is_authors(frame.f_code.co_filename, frame):
                return f"{Path(frame.f_code.co_filename).name}:{line}"
    return None


def authors_frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames of the author's code in a running stack, innermost first."""
    frames = []
    while frame is not None:
        if _is_authors(frame.f_code.co_filename, frame):
            frames.append(frame)
        frame = frame.f_back
    return frames


def place_in(frame: FrameType) -> str:
    """Return where the frame is: `file.py:12`."""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, ToolFailed) and error.__cause__ is not None:
        yield from _chain(error.__cause__)
    seen: set[int] = set()
    part: BaseException | None = error
    while part is not None and id(part) not in seen:
        seen.add(id(part))
        yield part
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)


def _keep_authors_frames(shown: TracebackException, error: BaseException) -> None:
    parts: list[tuple[TracebackException | None, BaseException | None]] = [(shown, error)]
    # Not recursive: chains may be long.
    while parts:
        shown_part, part = parts.pop()
        if shown_part is None or part is None:
            continue
        walked = zip(shown_part.stack, traceback.walk_tb(part.__traceback__), strict=False)
        frames = [
            _as_executed(summary, frame)
            for summary, (frame, _) in walked
            if _is_authors(summary.filename, frame)
        ]
        # None leaves out the heading too.
        shown_part.stack = StackSummary.from_list(frames) if frames else None  # type: ignore[assignment]
        parts.append((shown_part.__cause__, part.__cause__))
        parts.append((shown_part.__context__, part.__context__))
        # Python 3.10 has no groups.
        inner = getattr(shown_part, "exceptions", None) or ()
        parts += zip(inner, getattr(part, "exceptions", ()), strict=False)


def _as_executed(summary: FrameSummary, frame: FrameType) -> FrameSummary:
    # The file may have changed since it was loaded.
    lines, number = _lines_of(frame), summary.lineno
    if lines is None or number is None or not 0 < number <= len(lines):
        return summary
    line = lines[number - 1].strip()
    if line == (summary.line or "").strip():
        return summary
    return FrameSummary(summary.filename, number, summary.name, lookup_line=False, line=line)


def _lines_of(frame: FrameType) -> list[str] | None:
    """Return the lines of an agent file or a module beside it, as it was loaded."""
    lines: list[str] | None = getattr(frame.f_globals.get("__loader__"), "lines", None)
    return lines


def _is_authors(file: str, frame: FrameType | None = None) -> bool:
    if file == _EXAMPLES or (frame is not None and _lines_of(frame) is not None):
        return True
    return not file.startswith(_LIBRARIES) and not any(part in file for part in _INSTALLED)
