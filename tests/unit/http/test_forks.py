"""A forked process works, whatever other threads of its parent were doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest
from tests.support.forks import PYTHON_FOR_FORKS

pytestmark = [
    pytest.mark.blocking_only,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

LONGEST = 60
"""Seconds after which a child that hangs is killed."""


def succeeds_in_child(check: Callable[[], object]) -> bool:
    """Return whether a check raises nothing in a forked process."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(LONGEST)
        code = 1
        try:
            check()
            code = 0
        except BaseException as error:
            print(f"in the child: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@contextmanager
def in_thread(function: Callable[[], object]) -> Iterator[None]:
    """Call a function in a thread, for as long as a block takes or longer."""
    thread = threading.Thread(target=function)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class Gate:
    """Holds the first request whose path has an ending."""

    def __init__(self, fake_api: FakeAPI, ending: str):
        self.ending = ending
        self.reached = threading.Event()
        self.release = threading.Event()
        fake_api.before = self.hold

    def hold(self, seen: ReceivedRequest) -> Any:
        if seen.path.endswith(self.ending) and not self.reached.is_set():
            self.reached.set()
            self.release.wait(LONGEST)


def test_a_child_works_while_another_thread_finds_the_team(fake_api: FakeAPI) -> None:
    gate = Gate(fake_api, "/teams")
    client = duvo.Client(api_key=KEY, base_url=fake_api.base_url)
    with in_thread(lambda: client.team_id):
        assert gate.reached.wait(LONGEST)
        assert succeeds_in_child(lambda: list(client.runs.list()))
        gate.release.set()


def test_a_child_uses_connections_of_its_own_on_a_callers_session(fake_api: FakeAPI) -> None:
    run_id = fake_api.start()
    session = requests.Session()
    with duvo.Client(KEY, fake_api.base_url, TEAM, session=session) as client:
        client.runs.get(run_id)
        gate = Gate(fake_api, "/stop")
        with in_thread(lambda: client.runs.run(run_id).stop()):
            assert gate.reached.wait(LONGEST)
            # The thread has the session's lock and its connection.
            assert succeeds_in_child(lambda: client.runs.get(run_id))
            gate.release.set()
        assert client.runs.get(run_id).status == "stopped"


LOCKS = {
    "rate limit": lambda client: client._driver.api.rate_limit._lock,
    "sessions": lambda client: client._driver.transport._opening,
    "team": lambda client: client._driver.api._lock,
    "rate limits": lambda client: __import__("duvo._http.rate_limit")._http.rate_limit._known_lock,
    "deadlines": lambda client: __import__("duvo._time.exchange")._time.exchange._watcher._changed,
    "names": lambda client: __import__("duvo._time.names")._time.names._lock,
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_another_thread_held_is_free_in_a_child(fake_api: FakeAPI, name: str) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)
    with duvo.Client(KEY, fake_api.base_url, TEAM) as client:
        client.runs.run(run_id).wait(timeout=LONGEST)
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with LOCKS[name](client):
                held.set()
                release.wait(LONGEST)

        def use() -> None:
            client.runs.run(run_id).wait(timeout=LONGEST)
            with duvo.Client(KEY, fake_api.base_url.replace("127.0.0.1", "localhost")) as other:
                assert other.team_id == TEAM

        with in_thread(hold):
            assert held.wait(LONGEST)
            assert succeeds_in_child(use)
            release.set()


def test_an_iterator_continues_in_a_child_and_in_the_parent(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    for text in ("a", "b"):
        fake_api.say(run_id, text)
    messages = client.runs.run(run_id).messages(follow=True)
    assert next(messages).content == "a"
    assert next(messages).content == "b"
    gate = Gate(fake_api, f"/runs/{run_id}")
    rest: list[str] = []

    def read() -> None:
        rest.extend(message.content for message in messages)

    with in_thread(read):
        assert gate.reached.wait(LONGEST)
        fake_api.say(run_id, "c")
        fake_api.end(run_id)

        def read_in_child() -> None:
            assert [message.content for message in messages] == ["c"]

        assert succeeds_in_child(read_in_child)
        gate.release.set()
    assert rest == ["c"]


def test_a_change_in_progress_is_not_sent_again_by_a_child(
    fake_api: FakeAPI, client: duvo.Client
) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)
    messages = client.runs.run(run_id).messages(follow=True, on_request="approve")
    assert next(messages).is_pending_request
    gate = Gate(fake_api, "/respond")
    with in_thread(lambda: list(messages)):
        assert gate.reached.wait(LONGEST)

        def read_in_child() -> None:
            with pytest.raises(duvo.OutcomeUnknown):
                next(messages)

        assert succeeds_in_child(read_in_child)
        fake_api.end(run_id)
        gate.release.set()
    assert fake_api.count("POST", "/respond") == 1


BATCH = """
import os, sys, duvo
client = duvo.Client(sys.argv[1], sys.argv[2], sys.argv[3])
results = client.runs.map(sys.argv[4], ["a", "b", "c"], journal=sys.argv[5], on_request="approve")
for number, result in enumerate(results):
    pid = os.fork()
    if pid == 0:
        try:
            next(results)
        except duvo.DuvoError as error:
            print(error, flush=True)
        sys.exit()  # which collects everything
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_batch_and_its_journal_stay_with_their_process(
    fake_api: FakeAPI, client: duvo.Client, tmp_path: Path
) -> None:
    def end_started(seen: ReceivedRequest) -> None:
        for run_id, run in fake_api.runs.items():
            if run["status"] != "completed":
                fake_api.end(run_id)

    fake_api.after = end_started
    journal = tmp_path / "journal"
    done = subprocess.run(
        [*PYTHON_FOR_FORKS, "-c", BATCH, KEY, fake_api.base_url, TEAM, AGENT, str(journal)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a batch belongs to the process that began it\n" * 3
    requests_before = fake_api.count("POST", "/runs")
    results = client.runs.map(AGENT, ["a", "b", "c"], journal=journal)
    assert [result.delivered for result in results] == [True] * 3
    assert fake_api.count("POST", "/runs") == requests_before == 3


IMPORTS = """
import importlib.abc, os, signal, sys, threading, time
import duvo

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "requests.sessions" and not begun.is_set():
            begun.set()
            time.sleep(1)

begun = threading.Event()
sys.meta_path.insert(0, Slow())
client = duvo.Client(sys.argv[1], sys.argv[2])
thread = threading.Thread(target=lambda: client.team_id)
thread.start()
begun.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    client.teams.list()
    os._exit(0)
status = os.waitpid(pid, 0)[1]
thread.join()
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


@pytest.mark.long
def test_a_child_can_import_what_another_thread_was_importing(fake_api: FakeAPI) -> None:
    command = [*PYTHON_FOR_FORKS, "-c", IMPORTS, KEY, fake_api.base_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


USES = """
import os, signal, sys
import duvo
client = duvo.Client(*sys.argv[1:4], max_retries=1)
pid = os.fork()
if pid == 0:
    loaded = set(sys.modules)
    signal.alarm(30)
    client.teams.list()
    client.agents.get(sys.argv[4]).name
    run = client.runs.ask("Invoice approver", "go", on_request="approve", timeout=20)
    [message.content for message in run.messages()]
    [event.type for event in client.runs.watch([run])]
    [run.data for run in client.runs.list(limit=1)]
    [run.id for run in client.runs.inbox()]
    client.whoami()
    print(sorted(set(sys.modules) - loaded))
    sys.stdout.flush()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.long
def test_a_child_has_nothing_left_to_import(fake_api: FakeAPI) -> None:
    failed: list[str] = []

    def fail_first(seen: ReceivedRequest) -> Any:
        for run_id, run in list(fake_api.runs.items()):
            if run["status"] != "completed":
                fake_api.say(run_id, "done")
                fake_api.end(run_id)
        if seen.method == "GET" and seen.path not in failed:
            failed.append(seen.path)
            date = formatdate(usegmt=True)
            return 503, {"error": "busy"}, {"date": date, "retry-after": date}
        return None

    fake_api.before = fail_first
    command = [*PYTHON_FOR_FORKS, "-c", USES, KEY, fake_api.base_url, TEAM, AGENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
