"""`map` with an executor of the caller, which makes decisions and reads answers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import distributed
import pytest

import duvo
from duvo._flow.perform import Driver
from duvo.local import RunContext, Server, agent
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.command import wait_for
from tests.support.decisions import (
    approve,
    approve_and_kill_once,
    approve_when_allowed,
    decided_by,
    exit_at_once,
)

INPUTS = [f"input {number}" for number in range(16)]


@agent("Asker")
async def asker(run: RunContext) -> None:
    if await run.approval("Go on?"):
        await run.say(f"did {run.message}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    """Two worker processes, on loopback alone."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster


@pytest.fixture
def dask(cluster: distributed.LocalCluster) -> Iterator[Executor]:
    """Dask's executor."""
    with distributed.Client(cluster) as client, client.get_executor() as executor:
        yield executor


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two processes that share nothing with this one."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Two threads."""
    with ThreadPoolExecutor(2, "callers") as executor:
        yield executor


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    """An engine with an agent that asks for approval."""
    with Server([asker], port=0, examples=False) as server:
        yield server


@pytest.fixture
def local(engine: Server) -> Iterator[duvo.Client]:
    """A client of the engine."""
    with duvo.Client(engine.api_key, engine.base_url, engine.team_id) as client:
        yield client


def check(results: list[duvo.Result]) -> None:
    assert sorted(one.index for one in results) == list(range(len(INPUTS)))
    assert all(one.input == INPUTS[one.index] for one in results)
    assert {one.run.answer for one in results} == {f"did {given}" for given in INPUTS}
    assert len({one.run.id for one in results}) == len(INPUTS)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["threads", "processes", "dask"])
def test_decisions_are_made_where_the_executor_works(
    local: duvo.Client, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    executor = request.getfixturevalue(kind)
    known = {run.id for run in local.runs.list()}
    results = list(
        local.runs.map(
            "Asker",
            INPUTS,
            on_request=partial(approve, tmp_path),
            executor=executor,
            journal=tmp_path / "journal" if kind != "threads" else None,
        )
    )
    check(results)
    assert len({run.id for run in local.runs.list()} - known) == len(INPUTS)
    where = decided_by(tmp_path)
    assert where == {os.getpid()} if kind == "threads" else os.getpid() not in where
    # The executor is the caller's: it has not been shut down.
    assert executor.submit(len, INPUTS).result() == len(INPUTS)
    for one in results:
        assert one.run.refresh().status == "completed"


@pytest.mark.long
def test_decisions_are_made_by_both_workers_of_dask(
    dask: Executor, local: duvo.Client, cluster: distributed.LocalCluster, tmp_path: Path
) -> None:
    together = [f"{given} and {number}" for number in range(3) for given in INPUTS]
    choice = partial(approve, tmp_path)
    results = list(local.runs.map("Asker", together, on_request=choice, executor=dask))
    assert len(results) == len(together)
    assert len(decided_by(tmp_path)) == 2


@pytest.mark.long
@pytest.mark.parametrize("journal", [None, "journal"])
def test_a_killed_worker_of_dask_loses_no_run(
    dask: Executor, local: duvo.Client, tmp_path: Path, journal: str | None
) -> None:
    known = {run.id for run in local.runs.list()}
    results = list(
        local.runs.map(
            "Asker",
            INPUTS,
            on_request=partial(approve_and_kill_once, tmp_path),
            executor=dask,
            journal=tmp_path / journal if journal else None,
        )
    )
    check(results)
    assert (tmp_path / "killed").exists()
    assert len({run.id for run in local.runs.list()} - known) == len(INPUTS)


@pytest.mark.long
def test_a_worker_killed_after_sending_its_reply_sends_no_second_reply(
    dask: Executor, fake_api: FakeAPI, client: duvo.Client, tmp_path: Path
) -> None:
    replies: Counter[str] = Counter()
    killed: list[int] = []
    folder = tmp_path / "decided"
    folder.mkdir()

    def before(seen: ReceivedRequest) -> None:
        if seen.method == "GET" and seen.path.endswith("/runs"):
            with fake_api.lock:
                for run_id, run in fake_api.runs.items():
                    if run["status"] == "pending":
                        fake_api.ask(run_id)
                    elif run["status"] == "running":
                        said = fake_api.conversations[run_id][0]["text_content"]
                        fake_api.say(run_id, f"did {said}")
                        fake_api.end(run_id)

    def after(seen: ReceivedRequest) -> None:
        if not seen.path.endswith("/respond"):
            return
        request_id = seen.path.split("/")[-2]
        replies[request_id] += 1
        with fake_api.lock:
            if len(replies) == 3 and not killed:
                (pid,) = decided_by(folder, request_id)
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    fake_api.before, fake_api.after = before, after
    results = list(
        client.runs.map(
            AGENT,
            INPUTS,
            on_request=partial(approve, folder),
            executor=dask,
            journal=tmp_path / "journal",
        )
    )
    check(results)
    assert len(killed) == 1
    assert len(fake_api.runs) == len(replies) == len(INPUTS)
    assert set(replies.values()) == {1}


@pytest.mark.long
def test_an_executor_that_breaks_is_an_error_and_the_runs_continue(
    processes: ProcessPoolExecutor, local: duvo.Client, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    results = local.runs.map(
        "Asker", INPUTS, on_request=exit_at_once, executor=processes, journal=journal
    )
    failed = r"the executor failed .*; the runs are still running"
    with pytest.raises(duvo.DuvoError, match=failed):
        list(results)
    check(list(local.runs.map("Asker", INPUTS, on_request="approve", journal=journal)))


def test_an_executor_that_was_shut_down_is_an_error(local: duvo.Client) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    failed = r"the executor failed .*; the runs are still running"
    with pytest.raises(duvo.DuvoError, match=failed):
        list(local.runs.map("Asker", INPUTS, on_request="approve", executor=executor))


def test_an_on_request_that_cannot_be_sent_to_a_process_is_refused_at_once(
    processes: ProcessPoolExecutor, local: duvo.Client
) -> None:
    known = len(list(local.runs.list()))
    with pytest.raises(duvo.ConfigError, match=r"on_request cannot be sent .*<lambda>"):
        local.runs.map("Asker", INPUTS, on_request=lambda _: "approve", executor=processes)
    assert len(list(local.runs.list())) == known


class LeakingExecutor(ThreadPoolExecutor):
    """An executor that fails with an error that contains the client's key."""

    def submit(self, *given: Any, **named: Any) -> Any:
        (driver,) = (item for item in given if isinstance(item, Driver))
        raise ValueError(f"cannot take\n{driver.api.api_key}")


def test_the_error_of_an_executor_does_not_contain_the_key(local: duvo.Client) -> None:
    with LeakingExecutor(1) as executor, pytest.raises(duvo.DuvoError, match=r"\[key\]") as caught:
        list(local.runs.map("Asker", INPUTS, on_request="approve", executor=executor))
    assert local.settings.api_key not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_dask_cluster_whose_workers_all_died_is_an_error(
    dask: Executor, local: duvo.Client, cluster: distributed.LocalCluster
) -> None:
    cluster.scheduler.allowed_failures = 0
    try:
        results = local.runs.map("Asker", INPUTS[:1], on_request=exit_at_once, executor=dask)
        with pytest.raises(duvo.DuvoError, match=r"the executor failed .*KilledWorker"):
            list(results)
    finally:
        cluster.scheduler.allowed_failures = 3


@pytest.mark.long
def test_a_dask_cluster_that_was_closed_is_an_error(
    cluster: distributed.LocalCluster, local: duvo.Client, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with distributed.Client(cluster, set_as_default=False) as client:
        results = local.runs.map(
            "Asker",
            INPUTS[:1],
            on_request=partial(approve_when_allowed, tmp_path),
            executor=client.get_executor(),
            journal=journal,
        )

        def leave() -> None:
            wait_for(lambda: (tmp_path / "asked").exists())
            client.close()

        thread = threading.Thread(target=leave)
        thread.start()
        failed = r"the executor failed .*; the runs are still running"
        with pytest.raises(duvo.DuvoError, match=failed):
            list(results)
        thread.join()
    (tmp_path / "go").touch()
    (result,) = local.runs.map("Asker", INPUTS[:1], on_request="approve", journal=journal)
    assert result.run.answer == f"did {INPUTS[0]}"
