"""What came of one input of a batch, and how a batch stands."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from .._resources.run import Run
from .._run.answer import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._client import Client


class Result(tuple[Any, Run]):
    """A pair of an input and its run, which has ended: `input, run = result`.

    Attributes:
        input: as it was given.
        run: its run, with `answer` and `failure`.
        index: the input's place among the inputs, from 0 on.
        key: the caller's word for the input, or None where there is no `key=`.
        delivered: whether an earlier use of the journal had handed it out.
    """

    index: int  # type: ignore[assignment]  # what a tuple searches by is of no use here
    key: str | None
    delivered: bool

    @classmethod
    def of(cls, given: Any, run: Run, *, index: int, key: str | None, delivered: bool) -> Result:
        """A result."""
        made = cls((given, run))
        made.index, made.key, made.delivered = index, key, delivered
        return made

    @property
    def input(self) -> Any:
        """The input, as it was given."""
        return self[0]

    @property
    def run(self) -> Run:
        """Its run."""
        return self[1]


@frozen(kw_only=True)
class Progress:
    """How a batch stands: each number counts inputs that were taken.

    Attributes:
        completed: their runs completed.
        failed: their runs failed, or could not be started.
        stopped: their runs were stopped.
        running: they are being started, or their runs work.
        waiting: their runs wait for a human.
    """

    completed: int = 0
    failed: int = 0
    stopped: int = 0
    running: int = 0
    waiting: int = 0


def stored(run: Run) -> str:
    """What a journal keeps of a run that has ended."""
    outcome = run._outcome
    told = {"run": run.raw, "listed": run._listed, "read": outcome.is_read}
    return json.dumps({**told, "answer": outcome.answer, "failure": outcome.failure})


def restored(client: Client, run_id: str, text: str) -> Run:
    """The run that a journal kept."""
    told = json.loads(text)
    run = Run(client, run_id, told["run"], listed=told["listed"])
    run._outcome = Outcome.known(told["answer"], told["failure"], is_read=told["read"])
    return run
