"""Backups of a SQLite file: as the page on the engine makes them, and plain copies."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.servers.engine_api import EngineAPI
from tests.servers.serve_process import ServeProcess
from tests.support.command import Command, wait_for

pytestmark = pytest.mark.long

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")

AGENTS = """
from duvo.local import agent

@agent("Chatterbox")
async def chatterbox(run):
    for number in range(300):
        await run.say(f"line {number}")

@agent("Asker")
async def asker(run):
    await run.say("before")
    if await run.approval("Go on?"):
        await run.say("after")

@agent("Poster")
async def poster(run):
    await run.say("said")
"""

Start = Callable[..., ServeProcess]


@pytest.fixture
def agents_to_serve(tmp_path: Path) -> str:
    """A file with a talkative agent, one that asks and one that ends at once."""
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    return str(file)


def make_backup(command: Command, folder: Path) -> Path:
    """Run the command of the page in the folder of `runs.sqlite`; returns the copy."""
    (line,) = re.findall(r"^\$ (.*\.backup\(.*)$", PAGE, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "backup.sqlite"


def runs_in(database: Path) -> set[str]:
    """The ids of the runs in a database, whose file must be sound."""
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = opened.execute("SELECT name FROM sqlite_master WHERE name = 'duvo_runs'")
        if not tables.fetchall():
            return set()
        return {row[0] for row in opened.execute("SELECT id FROM duvo_runs")}


@contextmanager
def starting_runs(api: EngineAPI) -> Iterator[list[str]]:
    """Start runs throughout the block; yields the ids of those that were accepted."""
    accepted: list[str] = []
    over = threading.Event()

    def start() -> None:
        while not over.is_set():
            accepted.append(api.start("Poster"))

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield accepted
    finally:
        over.set()
        thread.join()


def test_a_backup_under_load_is_whole_and_its_runs_continue(
    serve: Start, tmp_path: Path, run_duvo_unconfigured: Command
) -> None:
    served = serve("--database", str(tmp_path / "runs.sqlite"))
    api = served.api()
    waiting, talking = api.start("Asker"), api.start("Chatterbox")
    request = api.wait_for_request(waiting)
    api.wait_for_text(talking, "line 9")
    with starting_runs(served.api()) as accepted:
        wait_for(lambda: len(accepted) > 9)
        known = {*accepted, waiting, talking}
        copy = make_backup(run_duvo_unconfigured, tmp_path)
        before = len(accepted)
        # The engine was not stopped by the copy.
        wait_for(lambda: len(accepted) > before)
    assert runs_in(copy) >= known
    assert copy.stat().st_mode & 0o077 == 0
    assert served.end()[0] == 0

    again = serve("--database", str(copy)).api()
    assert again.status(waiting) == "waiting"
    again.respond(waiting, request["id"], approved=True)
    again.wait_for_text(waiting, "after")
    again.wait_for_end(talking, 120)
    assert again.texts(talking) == [f"line {number}" for number in range(300)]


def test_a_plain_copy_lacks_what_is_in_the_write_ahead_log(serve: Start, tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    served = serve("--database", str(database))
    api = served.api()
    run = api.start("Asker")
    api.wait_for_request(run)
    for copied in (["runs.sqlite"], ["runs.sqlite", "runs.sqlite-wal"]):
        folder = tmp_path / str(len(copied))
        folder.mkdir()
        for name in copied:
            shutil.copy(tmp_path / name, folder)
    assert run not in runs_in(tmp_path / "1" / "runs.sqlite")
    # The engine does nothing while the run waits, so the two fit.
    assert run in runs_in(tmp_path / "2" / "runs.sqlite")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_file_alone_is_whole_after_a_stop_and_with_its_log_after_a_kill(
    end: int, serve: Start, tmp_path: Path
) -> None:
    database = tmp_path / "runs.sqlite"
    served = serve("--database", str(database))
    run = served.api().start("Asker")
    served.api().wait_for_request(run)
    served.process.send_signal(end)
    served.process.wait(20)
    alone = tmp_path / "alone.sqlite"
    shutil.copy(database, alone)
    assert (run in runs_in(alone)) is (end == signal.SIGTERM)
    assert database.with_name("runs.sqlite-wal").exists() is (end == signal.SIGKILL)
    # Opening it reads the log too.
    assert run in runs_in(database)
