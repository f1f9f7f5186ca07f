"""The end of a batch: counts, a table of runs that did not complete, an exit code. Pure."""

from __future__ import annotations

import duvo

from ..errors import ERROR, REQUEST_PENDING, RUN_FAILED, RUN_STOPPED, worst
from ..output.table import table
from ..output.terminal import in_one_line

_MOST_SHOWN = 20
_EXIT_CODES = {
    "failed": RUN_FAILED,
    "not done": ERROR,
    "waiting": REQUEST_PENDING,
    "stopped": RUN_STOPPED,
}
"""Exit codes by outcome."""


class Summary:
    """Counts outcomes, and keeps the first inputs whose runs did not complete."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._rows: list[tuple[str, str, str, str, str]] = []

    def add(self, outcome: str, index: int, key: str, run_id: str = "", why: str = "") -> None:
        """Add an input by its run's status, `waiting` if nothing may answer, or `not done`."""
        self._counts[outcome] = self._counts.get(outcome, 0) + 1
        if outcome != "completed" and len(self._rows) < _MOST_SHOWN:
            self._rows.append((str(index), key, outcome, run_id, in_one_line(why)))

    def lines(self, columns: int | None) -> list[str]:
        """The inputs whose runs did not complete, and the counts."""
        bad = sum(self._counts.values()) - self._counts.get("completed", 0)
        lines = []
        if self._rows:
            lines += table(("INDEX", "KEY", "OUTCOME", "RUN", "WHY"), self._rows, columns)
            lines += [f"… and {bad - len(self._rows)} more"] if bad > len(self._rows) else []
            lines += [""]
        widest = max(map(len, self._counts), default=0)
        digits = len(str(max(self._counts.values(), default=0)))
        counts = sorted(self._counts.items())
        return [*lines, *(f"{name:{widest}}  {count:{digits}}" for name, count in counts)]

    @property
    def exit_code(self) -> int:
        """The exit code of the worst outcome; 0 when all runs completed."""
        return worst(_EXIT_CODES.get(outcome, 0) for outcome in self._counts)


def changes_in_words(changes: duvo.Changes, *, retry_failed: bool = False) -> str:
    """What continuing a batch does, by its rows compared with its journal."""
    unfinished = changes.known - changes.finished
    parts = []
    if unfinished:
        parts.append(f"{_rows(unfinished, 'has', 'have')} no result yet")
    if changes.new:
        parts.append(f"starting {_rows(changes.new, 'that has', 'that have')} no run yet")
    if retry_failed and changes.failed:
        failed = _rows(changes.failed, "that failed or was", "that failed or were")
        parts.append(f"starting again {failed} stopped")
    if not parts:
        parts.append(
            f"nothing to start, {_rows(changes.finished, 'has', 'have')} a result already "
            "(another --journal starts again)"
        )
    if changes.failed and not retry_failed:
        failed = _rows(changes.failed, "failed or was", "failed or were")
        parts.append(f"{failed} stopped (--retry-failed starts again)")
    if changes.changed:
        verb = _rows(changes.changed, "was", "were")
        parts.append(f"{verb} started with another message, which is kept")
    if changes.gone:
        parts.append(f"{_rows(changes.gone, 'is', 'are')} gone")
    return "; ".join(parts)


def _rows(count: int, one: str, many: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count} rows {many}"
