"""The end of a server: how soon it comes, and that it is never the failure of a run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from pathlib import Path
from subprocess import PIPE

import pytest

from duvo.local import RunContext, Server, ToolFailed, agent
from tests.servers.dev_process import DevProcess
from tests.servers.engine_api import EngineAPI
from tests.servers.serve_process import KEY, ServeProcess
from tests.support.command import DUVO, Command, wait_for

INTERRUPTED = """
import asyncio, subprocess
from duvo.local import agent

# The first time, it fails at a signal, or some time later; the second time, it succeeds.
PROGRAM = '''
    trap "sleep $DELAY; exit 1" INT TERM
    echo >> $0
    test $(wc -l < $0) = 2 || sleep 60
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
def test_what_a_signal_to_all_processes_interrupts_is_called_again(
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
