"""Runs survive the end of their server, kill -9 included."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from duvo.local import DatabaseLocked, Server
from tests.servers.engine_api import ENDED, EngineAPI, wait_until

AGENTS = """
    import asyncio, os
    from duvo.local import agent

    SIDE = os.environ["SIDE_FILE"]

    def write(step, idempotency_key):
        with open(SIDE, "a") as file:
            file.write(f"{idempotency_key} begun\\n")
        with open(SIDE, "a") as file:
            file.write(f"{idempotency_key} ended\\n")
        return {"step": step}

    @agent("Worker")
    async def worker(run):
        await run.say(f"got {run.message}")
        for step in range(8):
            done = await run.tool("write", {"step": step}, write)
            await run.say(f"step {done['step']}")
            await run.sleep(0.1)
        await run.say("end")

    @agent("Asker")
    async def asker(run):
        for number in range(4):
            if await run.approval(f"Go on {number}?"):
                await run.tool("write", {"step": number}, write)
                await run.say(f"went {number}")
        await run.say("end")

    @agent("Numbers")
    async def numbers(run):
        first = [str(await run.now()), await run.random(), str(await run.uuid())]
        await run.say(repr(first))
        await run.approval("Again?")
        await run.say(repr(first))

    @agent("Napper")
    async def napper(run):
        await run.say("asleep")
        await run.sleep(float(run.message))
        await run.say("awake")
"""

SERVE = """
    import sys, threading
    from duvo.local import Server, load_agents

    agents = load_agents(sys.argv[1]) if sys.argv[1] else ()
    server = Server(agents, database=sys.argv[2], port=0, examples=False)
    server.start()
    print(server.base_url, server.api_key, server.team_id, flush=True)
    threading.Event().wait()
"""


class Engine:
    """An engine in its own process, which can be killed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.side_file = folder / "side.txt"
        self.side_file.touch()
        self.agents = folder / "agents.py"
        self.agents.write_text(textwrap.dedent(AGENTS))
        self.program = folder / "serve.py"
        self.program.write_text(textwrap.dedent(SERVE))
        self.database = folder / "runs.sqlite"
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, with_agents: bool = True) -> EngineAPI:
        """Start the process, and return a session once requests are answered."""
        process = self.begin(with_agents=with_agents)
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line, self.stderr
        return EngineAPI(*line)

    def begin(self, *, with_agents: bool = True) -> subprocess.Popen[str]:
        with (self.folder / "stderr.txt").open("a") as stderr:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(self.program),
                    str(self.agents) if with_agents else "",
                    str(self.database),
                ],
                env=os.environ | {"SIDE_FILE": str(self.side_file)},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        return self.process

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr.txt").read_text()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that is not started yet; its agents' tools write to a file."""
    engine = Engine(tmp_path)
    yield engine
    if engine.process is not None and engine.process.poll() is None:
        engine.kill()


@pytest.mark.long
@pytest.mark.seeds
def test_runs_killed_at_random_moments_lose_and_repeat_no_message(
    engine: Engine, full: bool
) -> None:
    kills = 6 if full else 2
    chance = random.Random(3)
    api = engine.start()
    workers = [api.start("Worker", f"job {number}") for number in range(4)]
    askers = [api.start("Asker", "please") for _ in range(3)]
    seen: dict[str, list[str]] = {}
    for _ in range(kills):
        # A new engine recovers turns within its first second.
        moment = time.monotonic() + chance.uniform(0.05, 1.6)
        while time.monotonic() < moment:
            _approve_all(api, askers)
        for run_id in workers + askers:
            now = [message["id"] for message in api.conversation(run_id)]
            assert now[: len(seen.get(run_id, []))] == seen.get(run_id, [])
            seen[run_id] = now
        engine.kill()
        api.close()
        api = engine.start()
    for run_id in workers:
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"

    def asked_and_ended() -> bool:
        _approve_all(api, askers)
        return all(api.status(run_id) in ENDED for run_id in askers)

    wait_until(asked_and_ended, 20, "the askers did not end")
    for number, run_id in enumerate(workers):
        steps = [f"step {step}" for step in range(8)]
        assert api.texts(run_id) == [f"got job {number}", *steps, "end"]
        assert [message["type"] for message in api.conversation(run_id)] == [
            "text",
            "session_started",
            "text",
            *["tool_call", "tool_result", "text"] * 8,
            "text",
            "session_completed",
        ]
    for run_id in askers:
        assert api.texts(run_id) == ["went 0", "went 1", "went 2", "went 3", "end"]
    for run_id in workers + askers:
        conversation = api.conversation(run_id)
        assert [m["id"] for m in conversation][: len(seen[run_id])] == seen[run_id]
        times = [message["timestamp"] for message in conversation]
        assert times == sorted(set(times))
    # A call without a recorded result is repeated, at most once for each kill.
    ended = Counter(
        line.split()[0] for line in engine.side_file.read_text().splitlines() if "ended" in line
    )
    assert len(ended) == 4 * 8 + 3 * 4
    assert sum(ended.values()) - len(ended) <= kills * (len(workers) + len(askers))
    api.close()


@pytest.mark.long
@pytest.mark.seeds
def test_a_kill_during_the_start_of_the_engine_loses_nothing(engine: Engine, full: bool) -> None:
    kills = 4 if full else 2
    chance = random.Random(5)
    engine.begin()
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 0.5))
        engine.kill()
        engine.begin()
    engine.kill()
    api = engine.start()
    asker, worker = api.start("Asker"), api.start("Worker", "job")
    request = api.wait_for_request(asker)
    engine.kill()
    for _ in range(kills):
        engine.begin()
        time.sleep(chance.uniform(0.2, 0.8))
        engine.kill()
    api = engine.start()
    api.respond(asker, request["id"], approved=True)
    api.wait_for_text(asker, "went 0")
    assert api.wait_for_end(worker)["run"]["status"] == "completed"
    assert api.texts(worker) == ["got job", *(f"step {step}" for step in range(8)), "end"]
    api.close()


@pytest.mark.long
def test_a_tool_with_a_recorded_result_is_not_called_again(engine: Engine) -> None:
    api = engine.start()
    run_id = api.start("Asker")
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    api.wait_for_text(run_id, "went 0")
    api.wait_for_request(run_id)
    for _ in range(2):
        engine.kill()
        api = engine.start()
        request = api.wait_for_request(run_id)
        assert request["title"] == "Go on 1?"
    for _ in range(3):
        api.respond(run_id, api.wait_for_request(run_id)["id"], approved=False)
    assert api.wait_for_end(run_id)["run"]["status"] == "completed"
    lines = engine.side_file.read_text().split()
    assert len(lines) == 4
    assert lines[0].startswith(f"{run_id}/")
    api.close()


def test_a_reply_just_before_a_kill_is_not_lost(engine: Engine) -> None:
    api = engine.start()
    runs = [api.start("Asker") for _ in range(5)]
    requests = {run_id: api.wait_for_request(run_id)["id"] for run_id in runs}
    for run_id in runs:
        api.respond(run_id, requests[run_id], approved=True)
    engine.kill()
    api = engine.start()
    for run_id in runs:
        api.wait_for_text(run_id, "went 0")
    api.close()


@pytest.mark.long
def test_time_random_numbers_and_ids_are_the_same_after_a_kill(engine: Engine) -> None:
    api = engine.start()
    run_id = api.start("Numbers")
    api.wait_for_request(run_id)
    engine.kill()
    api = engine.start()
    api.respond(run_id, api.wait_for_request(run_id)["id"], approved=True)
    api.wait_for_end(run_id)
    first, second = api.texts(run_id)
    assert first == second
    api.close()


@pytest.mark.long
def test_an_interrupted_sleep_lasts_only_for_the_remaining_time(engine: Engine) -> None:
    for seconds in (3, 6, 12, 24):  # a busy machine takes long to start the engine again
        api = engine.start()
        run_id = api.start("Napper", str(seconds))
        api.wait_for_text(run_id, "asleep")
        # The wake-up time is recorded by now; no message shows it.
        api.get(f"/v2/runs/{run_id}/messages?offset=10&wait=1.5")
        engine.kill()
        api = engine.start()
        api.wait_for_end(run_id, seconds=60)
        asleep, awake = (
            datetime.fromisoformat(message["timestamp"].replace("Z", "+00:00"))
            for message in api.conversation(run_id)
            if message["role"] == "assistant"
        )
        api.close()
        slept = (awake - asleep).total_seconds()
        assert slept >= seconds
        # A sleep that began again would take more.
        if slept < seconds + 1.5:
            return
        engine.kill()
    raise AssertionError(f"slept for {slept} s in place of {seconds}")


@pytest.mark.long
def test_runs_of_an_agent_that_was_not_given_wait_and_are_logged(
    engine: Engine,
) -> None:
    api = engine.start()
    runs = [api.start("Asker") for _ in range(2)]
    requests = [api.wait_for_request(run_id)["id"] for run_id in runs]
    engine.kill()
    api = engine.start(with_agents=False)
    wait_until(lambda: bool(engine.stderr), 30, "nothing was logged")
    assert engine.stderr.splitlines() == ["2 runs wait for agent 'Asker', whose file was not given"]
    assert [api.status(run_id) for run_id in runs] == ["waiting", "waiting"]
    api.respond(runs[0], requests[0], approved=True)
    assert api.stop(runs[1]) == {"success": True}
    assert [api.status(run_id) for run_id in runs] == ["running", "interrupted"]
    api.say(runs[1], "continue then")
    engine.kill()
    api = engine.start()
    for run_id in runs:
        api.wait_for_request(run_id)
    assert "went 0" in api.texts(runs[0])
    api.close()


@pytest.mark.long
def test_a_second_engine_on_the_same_file_is_refused(engine: Engine) -> None:
    engine.start().close()
    with pytest.raises(DatabaseLocked, match=r"another engine runs .*; stop it"):
        Server(database=engine.database, port=0).start()
    engine.kill()
    with Server(database=engine.database, port=0) as server:
        assert server.waiting_for == ()


@pytest.mark.long
def test_an_agent_that_makes_fewer_calls_than_recorded_fails_with_that_reason(
    engine: Engine,
) -> None:
    api = engine.start()
    run_id = api.start("Asker")
    api.wait_for_request(run_id)
    engine.kill()
    engine.agents.write_text(
        'from duvo.local import agent\n@agent("Asker")\nasync def asker(run):\n    pass\n'
    )
    api = engine.start()
    assert api.wait_for_end(run_id)["run"]["status"] == "failed"
    assert "code changed while this run" in api.conversation(run_id)[-1]["text_content"]
    assert "pending_human_request" not in api.run(run_id)
    api.close()


def _approve_all(api: EngineAPI, runs: list[str]) -> None:
    for run_id in runs:
        request = api.run(run_id).get("pending_human_request")
        if request:
            path = f"/v2/runs/{run_id}/human-requests/{request['id']}/respond"
            response = api.send("POST", path, data=json.dumps({"approved": True}))
            assert response.status_code in (200, 409)
