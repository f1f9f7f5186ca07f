"""Objects of a batch can be pickled and copied, and never contain the key."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, FakeAPI
from tests.unit.batch.conftest import Agent

WAYS: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda one, how=how: pickle.loads(pickle.dumps(one, how)) for how in range(2, 6)),  # type: ignore[misc]
]


@pytest.mark.blocking_only
@pytest.mark.parametrize("other", WAYS)
def test_results_are_pairs_that_can_be_pickled_and_copied(
    client: duvo.Client, agent: Agent, other: Callable[[Any], Any]
) -> None:
    (result,) = client.runs.map(AGENT, [{"id": "a"}], key="id")
    made = other(result)
    assert type(made) is duvo.Result
    assert made == result == ({"id": "a"}, result.run)
    assert (made.index, made.key, made.delivered) == (0, "a", False)
    assert (made.input, made.run.answer) == ({"id": "a"}, result.run.answer)
    assert made.run.refresh().status == "completed"


@pytest.mark.blocking_only
@pytest.mark.parametrize("other", WAYS)
def test_clients_events_and_progress_can_be_pickled_and_copied(
    fake_api: FakeAPI, client: duvo.Client, other: Callable[[Any], Any]
) -> None:
    assert [one.id for one in other(client).teams.list()] == [one.id for one in client.teams.list()]
    run_id = fake_api.start("completed")
    for event in client.runs.watch([run_id]):
        assert other(event).to_dict() == event.to_dict()
    progress = duvo.Progress(completed=1)
    assert other(progress) == progress


def test_no_text_of_a_batch_contains_the_key(
    fake_api: FakeAPI, client: duvo.Client, agent: Agent, tmp_path: Path, caplog: Any
) -> None:
    agent.does = lambda message: "ask" if message == "b" else "completed"

    def before(seen: Any) -> Any:
        agent.before(seen)
        if seen.method == "POST" and b'"c"' in seen.body:
            return 422, {"error": f"bad {KEY}", "message": seen.headers["authorization"]}
        return None

    fake_api.before = before
    with caplog.at_level(logging.DEBUG):
        results = client.runs.map(
            AGENT, ["a", "b", "c"], on_request="approve", journal=tmp_path / "journal"
        )
        texts = [repr(results), repr(results.progress), repr(client)]
        with pytest.raises(duvo.MapIncomplete) as caught:
            for result in results:
                texts += [repr(result), str(result), repr(result.run)]
    texts += [repr(caught.value), str(caught.value), repr(caught.value.failures), caplog.text]
    assert len(texts) == 3 + 6 + 4
    assert KEY not in "".join(texts)
    assert "[key]" in str(caught.value)
    for one in tmp_path.glob("journal*"):
        assert KEY.encode() not in one.read_bytes()
