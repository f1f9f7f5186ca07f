"""Scenarios with many runs behind the faulty proxy, and what must hold afterwards."""

from __future__ import annotations

import queue
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import duvo
from duvo._batch.workers import Workers
from tests.faults.agents import CLERK
from tests.faults.play import MAY_PASS, Play
from tests.faults.scenarios import CITY, approving, check_given, check_replies


class FastQueue(queue.SimpleQueue[Any]):
    """The queue of a batch whose waits end by the fast clock of its client."""

    def __init__(self, play: Play):
        self._play = play

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block or timeout is None:
            return super().get(block, timeout)
        try:
            return super().get(True, min(timeout / 100, 0.005))
        except queue.Empty:
            self._play.clock.sleep(timeout)
            raise


def map(play: Play) -> None:
    """Each input of a batch becomes one run; an interrupted batch continues from its journal."""
    inputs = [
        f"{play.plan(longest=5)}; number {number}" for number in range(play.chance.randint(1, 6))
    ]
    concurrency = play.chance.randint(1, 4)
    leaves = play.chance.random() < 0.5
    results: dict[str, duvo.Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "batch" if leaves or play.chance.random() < 0.5 else None
        for _ in range(100):
            try:
                batch = play.client.runs.map(
                    CLERK if play.chance.random() < 0.5 else play.api.agent_id(CLERK),
                    inputs,
                    concurrency=concurrency,
                    on_request=approving([]),
                    answers=CITY,
                    journal=journal,
                )
                if isinstance(batch._driver, Workers):
                    batch._driver._queue = FastQueue(play)
                for result in batch:
                    given, run = result
                    assert given not in results or result.delivered or leaves
                    results[given] = run
                    if leaves and play.chance.random() < 0.3:
                        batch.close()
                        break
                else:
                    break
            except (*MAY_PASS, duvo.UnexpectedAnswer, duvo.MapIncomplete) as error:
                failures = error.failures if isinstance(error, duvo.MapIncomplete) else ()
                assert all(isinstance(one, duvo.OutcomeUnknown) for _, _, one in failures), error
                play.proxy.open()
                _check_one_each(play, inputs)
                if journal is None:
                    return
        else:
            raise AssertionError("the batch never ended")
    assert sorted(results) == sorted(inputs)
    of_input = _check_one_each(play, inputs)
    for given, run in results.items():
        assert run.id == of_input[given]
        assert run.status == "completed"
        assert _answer(run) == play.api.texts(run.id)[-1]
        check_replies(play, run.id, was_left=leaves)


def _answer(run: duvo.Run) -> str | None:
    try:
        return run.answer
    except duvo.NotLoaded:
        # The conversation of a run that has ended could not be read within the time of the fast
        # clock, which all tasks share: the batch yields the run without its answer.
        return run.wait().answer


def watch(play: Play) -> None:
    """Events of watched runs are complete, in order and without duplicates."""
    count = play.chance.randint(1, 4)
    run_ids = [play.api.start(CLERK, play.plan(longest=20)) for _ in range(count)]
    given: dict[str, list[duvo.Message]] = {run_id: [] for run_id in run_ids}
    statuses: dict[str, list[str]] = {run_id: [] for run_id in run_ids}
    finished: list[str] = []
    asked: list[str] = []
    for event in play.client.runs.watch(run_ids, messages=True):
        run_id = event.run.id
        assert run_id not in finished, f"{event.type} after the end"
        if event.type == "message":
            assert event.message is not None
            given[run_id].append(event.message)
        elif event.type == "status":
            statuses[run_id].append(event.run.status)
        elif event.type == "human_request":
            assert event.request is not None
            asked.append(event.request.id)
            approval = event.request.type == "approval"
            reply: dict[str, Any] = {"approved": True} if approval else {"answers": CITY}
            if not approval:
                reply = {"answers": {event.request.questions[0].question: "Brno"}}
            play.api.respond(run_id, event.request.id, **reply)
        else:
            finished.append(run_id)
    assert sorted(finished) == sorted(run_ids)
    assert len(asked) == len(set(asked)), "a human request was reported twice"
    for run_id in run_ids:
        check_given(play, run_id, given[run_id])
        assert statuses[run_id][-1] == "completed"
        assert all(one != other for one, other in pairwise(statuses[run_id])), statuses[run_id]


def _check_one_each(play: Play, inputs: list[str]) -> dict[str, str]:
    """Return the run of each input by its message, after checking that none has two."""
    found = {one["id"]: play.api.conversation(one["id"])[0]["text_content"] for one in play.runs()}
    count = Counter(found.values())
    assert not count - Counter(inputs), f"runs were started twice: {count}"
    return {text: run_id for run_id, text in found.items()}
