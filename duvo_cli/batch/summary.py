"""What came of a batch: a table, and an exit code. Pure."""

from __future__ import annotations

from ..output.table import table
from ..output.terminal import in_one_line

_FAILED, _NOT_DONE, _LEFT, _STOPPED = 4, 1, 6, 5
_MOST_TOLD = 20


class Summary:
    """Counts results, and keeps the first of those that are no good.

    Attributes:
        counts: how many there are of each outcome.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._told: list[tuple[str, str, str, str, str]] = []

    def add(self, outcome: str, index: int, key: str, run_id: str = "", why: str = "") -> None:
        """Count one input.

        Args:
            outcome: its run's status, `waiting` where nobody may answer, or `not done`.
            index: its place.
            key: its key, if any.
            run_id: its run, if any.
            why: what went wrong.
        """
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        if outcome != "completed" and len(self._told) < _MOST_TOLD:
            self._told.append((str(index), key, outcome, run_id, in_one_line(why)))

    def lines(self, columns: int | None) -> list[str]:
        """The inputs whose runs did not complete, and the counts.

        Args:
            columns: width of the terminal, or None.
        """
        bad = sum(self.counts.values()) - self.counts.get("completed", 0)
        lines = []
        if self._told:
            lines += table(("INDEX", "KEY", "OUTCOME", "RUN", "WHY"), self._told, columns)
            lines += [f"… and {bad - len(self._told)} more"] if bad > len(self._told) else []
            lines += [""]
        widest = max(map(len, self.counts), default=0)
        digits = len(str(max(self.counts.values(), default=0)))
        counts = sorted(self.counts.items())
        return [*lines, *(f"{name:{widest}}  {count:{digits}}" for name, count in counts)]

    @property
    def exit_code(self) -> int:
        """4 where a run failed, else 1 where one has no finished run, 6 where a request is left,
        5 where one was stopped; 0 where all completed."""
        for outcome, code in (
            ("failed", _FAILED),
            ("not done", _NOT_DONE),
            ("waiting", _LEFT),
            ("stopped", _STOPPED),
        ):
            if self.counts.get(outcome):
                return code
        return 0
