"""An input of a batch, from when it is taken until its result, and the counts of all."""

from __future__ import annotations

from typing import Any

from attrs import define, frozen

from .fingerprints import of_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._run.state import RunState
    from .inputs import Input
    from .journal import Row


@define(eq=False)
class Entry:
    """An input that was taken, and its run.

    Attributes:
        run: the user's object for the run, once it is known.
        sends: number of starts that were sent without a known outcome.
        searches: number of searches for the run of such a start.
    """

    row: Row
    input: Input
    state: RunState | None = None
    run: Any = None
    sends: int = 0
    searches: int = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier start may have made a run."""
        return self.row.state == "sending" or self.sends > 0

    @property
    def was_sent_differently(self) -> bool:
        """Whether a start that may have made a run was sent with another message."""
        if self.row.state != "sending" or self.row.message is None:
            return False
        return self.row.message != of_message(self.input.message)


@frozen(kw_only=True)
class Progress:
    """The progress of a batch: numbers of the inputs that were taken.

    Attributes:
        completed: inputs whose runs completed.
        failed: inputs whose runs failed, or could not be started.
        stopped: inputs whose runs were stopped.
        running: inputs whose runs are being started or running.
        waiting: inputs whose runs wait for a human.
    """

    completed: int = 0
    failed: int = 0
    stopped: int = 0
    running: int = 0
    waiting: int = 0
