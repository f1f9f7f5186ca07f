"""An input of a batch, from when it is taken until its result."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.state import RunState
    from .inputs import Input
    from .journal import Row


class Entry:
    """An input that was taken, and its run.

    Attributes:
        row: the input's row in the journal.
        input: the input.
        state: the run's state, once the run is known.
        run: the user's object for the run, once it is known.
        sends: number of starts that were sent without a known outcome.
        searches: number of searches for the run of such a start.
    """

    __slots__ = ("input", "row", "run", "searches", "sends", "state")

    def __init__(self, row: Row, taken: Input):
        self.row = row
        self.input = taken
        self.state: RunState | None = None
        self.run: Any = None
        self.sends = 0
        self.searches = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier start may have made a run."""
        return self.row.state == "sending" or self.sends > 0
