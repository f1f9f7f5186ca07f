"""One input while it is at work."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._resources.run import Run
    from .inputs import Input
    from .journal import Row


class Entry:
    """An input that was taken, and its run.

    Attributes:
        row: of the journal.
        input: what was taken.
        run: its run, once that is known.
        sends: how often its start was sent and its outcome stayed unknown.
        looks: how often the run of such a start was looked for.
    """

    __slots__ = ("input", "looks", "row", "run", "sends")

    def __init__(self, row: Row, taken: Input):
        self.row = row
        self.input = taken
        self.run: Run | None = None
        self.sends = 0
        self.looks = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier start of it may have made a run."""
        return self.row.state == "sending" or self.sends > 0
