"""The end of a server: how soon it comes, and that it is never the failure of a run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from duvo.local import RunContext, Server, ToolFailed, agent
from tests.servers.dev_process import DevProcess
from tests.servers.engine_api import EngineAPI
from tests.servers.serve_process import KEY, ServeProcess
from tests.support.command import DUVO, Command, wait_for

pytestmark = pytest.mark.long

INTERRUPTED = """
import asyncio, subprocess
from duvo.local import agent

# The first time, it fails at a signal, or some time later; the second time, it succeeds.
# A shell does not wait for `wait` to end before it runs a trap.
PROGRAM = '''
    trap 'kill $! 2> /dev/null; sleep $DELAY; exit 1' INT TERM
    echo >> $0
    test $(wc -l < $0) = 2 && exit
    sleep 60 > /dev/null 2>&1 &
    wait
'''

def convert(file):
    subprocess.run(["sh", "-c", PROGRAM, file], check=True)

@agent("In a tool")
async def in_a_tool(run):
    await run.tool("convert", {"file": run.message}, convert)

@agent("Beside tools")
async def beside_tools(run):
    await asyncio.to_thread(convert, run.message)
"""


@pytest.mark.parametrize(
    ("how", "number", "delay"),
    # serve continues for a second.
    [("dev", signal.SIGINT, "0"), ("serve", signal.SIGTERM, "0.4")],
)
def test_a_tool_interrupted_by_a_signal_to_all_processes_is_called_again(
    how: str,
    number: int,
    delay: str,
    run_duvo_unconfigured: Command,
    keys_file: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "agents.py").write_text(INTERRUPTED)
    command = [DUVO, how, str(tmp_path / "agents.py"), "--port", "0", "--json"]
    command += ["--keys-file", str(keys_file)] if how == "serve" else []

    def start() -> tuple[subprocess.Popen[str], EngineAPI]:
        environment = run_duvo_unconfigured.environment | {"DELAY": delay}
        process = subprocess.Popen(
            command, env=environment, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True
        )
        dev, serve = DevProcess(Command({}), process), ServeProcess(process)
        return process, dev.api() if how == "dev" else serve.api(KEY)

    process, api = start()
    files = [tmp_path / "tool", tmp_path / "beside"]
    names = ["In a tool", "Beside tools"]
    runs = [api.start(name, str(file)) for name, file in zip(names, files, strict=True)]
    try:
        wait_for(lambda: all(file.exists() for file in files))
        os.killpg(process.pid, number)
        assert process.communicate(timeout=20)[0] == ""
        assert process.returncode == 0
        process, api = start()
        for run_id in runs:
            assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert [file.read_text() for file in files] == ["\n\n", "\n\n"]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


SWALLOWING = """
import asyncio, gc, sys, time
from duvo.local import Server, agent
from tests.servers.engine_api import EngineAPI, wait_until

async def ignore_the_end(call):
    while True:
        try:
            await call()
        except:
            pass

@agent("In a call")
async def in_a_call(run):
    await ignore_the_end(lambda: run.sleep(0.01))

@agent("Beside calls")
async def beside_calls(run):
    await ignore_the_end(lambda: asyncio.sleep(0.01))

@agent("In a tool")
async def in_a_tool(run):
    await ignore_the_end(lambda: run.tool("tool", {"call": 1}, in_both))

async def in_both(call):
    await ignore_the_end(lambda: asyncio.sleep(3600))

@agent("In a task")
async def in_a_task(run):
    task = asyncio.create_task(in_both(1))
    await ignore_the_end(lambda: task)

@agent("In a generator")
async def in_a_generator(run):
    async def generate():
        try:
            yield
        finally:
            await in_both(1)
    generator = generate()
    await generator.__anext__()
    await run.sleep(3600)

AGENTS = [in_a_call, beside_calls, in_a_tool, in_a_task, in_a_generator]

def use(server):
    api = EngineAPI.of(server)
    stopped, left = ([api.start(agent.name) for agent in AGENTS] for _ in range(2))
    running = lambda: all(api.status(run) == "running" for run in stopped + left)
    wait_until(running, 20, "not all are running")
    for run in stopped:
        api.stop(run)
    # Meanwhile the turns of the stopped runs are forgotten.
    time.sleep(1.5)
    gc.collect()
    api.close()

with Server(AGENTS, port=0, examples=False) as closed:
    use(closed)
gc.collect()
left_open = Server(AGENTS, port=0, examples=False)
left_open.start()
use(left_open)
print(time.monotonic())
sys.exit(7)
"""


def test_agents_that_ignore_their_end_do_not_keep_a_program_from_its_end() -> None:
    command = [sys.executable, "-c", SWALLOWING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # Agents that call without a pause block the event loop, which is logged after five seconds.
    errors = [line for line in done.stderr.splitlines() if "has blocked the engine" not in line]
    assert (done.returncode, errors) == (7, [])
    # Five, and more on a busy machine.
    assert time.monotonic() - float(done.stdout) < 15


CLOSED_BY_A_HANDLER = """
import asyncio, signal
from duvo.local import EngineError, Server
from duvo.local._execution.engine import Engine

def close(number, frame):
    server.close()

signal.signal(signal.SIGTERM, close)
signal.signal(signal.SIGHUP, close)
server = Server(port=0)
server.start()
print("started", flush=True)
server.wait()
print("ended", flush=True)

server = Server(port=0)
launch = Engine.launch

async def launch_slowly(engine):
    print("starting", flush=True)
    while not server._is_closed_early:
        await asyncio.sleep(0.01)
    await launch(engine)

Engine.launch = launch_slowly
try:
    server.start()
except EngineError as error:
    print(error)
"""


def test_a_signal_handler_may_close_a_server_at_any_moment() -> None:
    command = [sys.executable, "-c", CLOSED_BY_A_HANDLER]
    with subprocess.Popen(command, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            for _ in range(3):
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGHUP)
            assert process.stdout.readline() == "ended\n"
            assert process.stdout.readline() == "starting\n"
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=30)[0] == "the engine was closed while it started\n"
        finally:
            process.kill()


gate = threading.Event()
calls: list[str] = []


def fail_at_the_gate() -> None:
    calls.append("tool")
    if len(calls) == 1:
        gate.wait(60)
        raise ConnectionError("the server was told to end")


async def fail_at_the_gate_async() -> None:
    await asyncio.to_thread(fail_at_the_gate)


@agent("Tool")
async def tool(run: RunContext) -> None:
    try:
        await run.tool("fail", {}, fail_at_the_gate)
    except ToolFailed as failure:
        await run.say(failure.error)


@agent("Async tool")
async def async_tool(run: RunContext) -> None:
    try:
        await run.tool("fail", {}, fail_at_the_gate_async)
    except ToolFailed as failure:
        await run.say(failure.error)


@pytest.mark.parametrize("name", ["Tool", "Async tool"])
def test_a_tool_that_fails_just_before_a_server_is_closed_is_called_again(
    name: str, tmp_path: Path
) -> None:
    gate.clear()
    calls.clear()
    database = tmp_path / "runs.sqlite"
    with Server([tool, async_tool], database=database, port=0) as server:
        api = EngineAPI.of(server)
        run_id = api.start(name)
        wait_for(lambda: calls)
        api.close()
        gate.set()
    with Server([tool, async_tool], database=database, port=0) as server:
        api = EngineAPI.of(server)
        assert api.wait_for_end(run_id)["run"]["status"] == "completed"
        assert api.texts(run_id) == []
        api.close()
    assert len(calls) == 2
