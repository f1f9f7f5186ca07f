"""Agents that are replaced while the engine runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo.local import Agent, EngineError, RunContext, Server, agent
from tests.servers.dev_process import DevProcess, running_dev
from tests.servers.engine_api import EngineAPI
from tests.support.command import wait_for


def saying(name: str, text: str) -> Agent:
    @agent(name)
    async def says(run: RunContext) -> None:
        if run.message == "ask":
            await run.approval("Go on?")
        await run.say(text)

    return says


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with one agent, in whose database a run waits for another agent."""
    database = tmp_path / "engine.sqlite"
    with Server([saying("Missing", "old")], database=database, port=0) as first:
        api = EngineAPI.of(first)
        api.wait_for_request(api.start("Missing", "ask"))
        api.close()
    with Server([saying("Kept", "old")], database=database, port=0, examples=False) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[EngineAPI]:
    """A session with that server."""
    api = EngineAPI.of(server)
    yield api
    api.close()


@pytest.mark.long
def test_turns_that_have_begun_keep_their_code_and_parked_runs_start(
    server: Server, api: EngineAPI
) -> None:
    waiting = api.start("Kept", "ask")
    request = api.wait_for_request(waiting)
    runs = api.get(f"/v2/teams/{api.team}/runs")["data"]
    (parked,) = [run["id"] for run in runs if run["id"] != waiting]
    assert list(server.waiting_for) == ["Missing"]

    assert server.replace_agents([saying("Kept", "new"), saying("Missing", "found")]) == 1
    assert not server.waiting_for
    assert {one.name for one in server.agents} == {"Kept", "Missing"}
    api.respond(parked, api.wait_for_request(parked)["id"], approved=True)
    api.wait_for_end(parked)
    assert api.texts(parked) == ["found"]
    api.respond(waiting, request["id"], approved=True)
    api.wait_for_end(waiting)
    assert api.texts(waiting) == ["old"]
    # A new turn of the same run has the new code.
    api.say(waiting, "again")
    wait_for(lambda: api.texts(waiting)[-1] == "new")


def test_a_run_whose_agent_was_removed_waits_until_the_agent_is_back(
    server: Server, api: EngineAPI
) -> None:
    waiting = api.start("Kept", "ask")
    request = api.wait_for_request(waiting)
    assert server.replace_agents([]) == 1
    assert server.waiting_for == ("Kept", "Missing")
    api.respond(waiting, request["id"], approved=True)
    assert api.wait_for_end(waiting)["run"]["status"] == "completed"
    api.say(waiting, "again")
    server.replace_agents([saying("Kept", "back")])
    wait_for(lambda: api.texts(waiting)[-1] == "back")


def test_agents_that_cannot_be_served_together_replace_nothing(server: Server) -> None:
    before = server.agents
    with pytest.raises(EngineError, match="two agents are named 'Twin'"):
        server.replace_agents([saying("Twin", "1"), saying("Twin", "2")])
    assert server.agents == before
    server.close()
    with pytest.raises(EngineError, match="not running"):
        server.replace_agents([])


AGENTS = """
import helper
from duvo.local import agent

@agent("Greeter")
async def greeter(run):
    if run.message == "ask":
        await run.approval("Go on?")
    await run.say(helper.GREETING)
"""


def answer(dev: DevProcess, api: EngineAPI) -> str:
    run_id = api.start("Greeter")
    api.wait_for_end(run_id)
    return str(api.texts(run_id)[-1])


@pytest.mark.long
def test_dev_loads_files_again_when_they_or_their_neighbours_change(tmp_path: Path) -> None:
    file, helper = tmp_path / "agents.py", tmp_path / "helper.py"
    file.write_text(AGENTS)
    helper.write_text("GREETING = 'one'\n")
    errors = tmp_path / "stderr.txt"

    def logged(line: str) -> bool:
        return line in errors.read_text()

    with running_dev(tmp_path, str(file), "--json") as dev:
        api = dev.api()
        waiting = api.start("Greeter", "ask")
        request = api.wait_for_request(waiting)
        helper.write_text("GREETING = 'two'\n")
        wait_for(lambda: logged("duvo: helper.py changed: reloaded; 1 turn ends on the old code"))
        assert answer(dev, api) == "two"
        # Saved as editors do: another file takes its place.
        broken = tmp_path / "saved"
        broken.write_text("import helper, missing\n")
        broken.replace(file)
        wait_for(lambda: logged("No module named 'missing'; the agents stay as they were"))
        assert logged('agents.py", line 1, in <module>\n    import helper, missing\n')
        assert answer(dev, api) == "two"
        (tmp_path / "missing.py").write_text("")
        wait_for(lambda: logged("agents.py: no agents"))
        file.write_text(AGENTS.replace("Greeter", "Renamed"))
        wait_for(lambda: logged("1 run waits for agent 'Greeter'"))
        file.write_text(AGENTS)
        agents = f"/v2/teams/{api.team}/agents"
        wait_for(lambda: any(a["name"] == "Greeter" for a in api.get(agents)["agents"]))
        assert answer(dev, api) == "two"
        api.respond(waiting, request["id"], approved=True)
        api.wait_for_end(waiting)
        assert api.texts(waiting) == ["one"]
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(timeout=20) == 0


SLOW = """
import time
from pathlib import Path

here = Path(__file__).parent
(here / "loading").touch()
while not (here / "finish").exists():
    time.sleep(0.01)
GREETING = "two"
"""


@pytest.mark.long
def test_dev_serves_the_old_agents_while_a_changed_file_is_loading(tmp_path: Path) -> None:
    file, helper = tmp_path / "agents.py", tmp_path / "helper.py"
    file.write_text(AGENTS)
    helper.write_text("GREETING = 'one'\n")
    with running_dev(tmp_path, str(file), "--json") as dev:
        api = dev.api()
        helper.write_text(SLOW)
        wait_for((tmp_path / "loading").exists)
        assert answer(dev, api) == "one"
        (tmp_path / "finish").touch()
        wait_for(lambda: answer(dev, api) == "two")


@pytest.mark.long
def test_dev_without_watchfiles_says_how_to_install_it_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, packages = tmp_path / "agents.py", tmp_path / "packages"
    file.write_text(AGENTS)
    (tmp_path / "helper.py").write_text("GREETING = 'one'\n")
    packages.mkdir()
    (packages / "watchfiles.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    errors = tmp_path / "stderr.txt"
    with running_dev(tmp_path, str(file), "--json") as dev:
        wait_for(lambda: "watchfiles is missing; install it: pip install" in errors.read_text())
        assert answer(dev, dev.api()) == "one"


@pytest.mark.long
def test_dev_does_not_load_files_again_on_request(tmp_path: Path) -> None:
    file, helper = tmp_path / "agents.py", tmp_path / "helper.py"
    file.write_text(AGENTS)
    helper.write_text("GREETING = 'one'\n")
    with running_dev(tmp_path, str(file), "--json", "--no-reload") as dev:
        # The agent imports this while it runs; the threads say whether files are watched.
        threads = Path(f"/proc/{dev.process.pid}/task")
        if not threads.exists():
            pytest.skip("this system has no /proc")
        names = {(task / "comm").read_text().strip() for task in threads.iterdir()}
        assert not any("notify" in name for name in names)
        helper.write_text("GREETING = 'two'\n")
        assert answer(dev, dev.api()) == "one"
