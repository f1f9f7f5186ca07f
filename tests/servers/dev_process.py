"""A running `duvo dev` of the installed command."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.engine_api import LocalApi
from tests.support.command import DUVO, Command


class DevProcess:
    """The process, and how to reach it.

    Attributes:
        command: the command, with the profile and state of the process.
    """

    def __init__(self, command: Command, process: subprocess.Popen[str]):
        self.command = command
        self.process = process

    @functools.cached_property
    def output(self) -> str:
        """What it prints once it has started: a line of JSON, or lines up to "Ctrl-C"."""
        assert self.process.stdout is not None
        text = ""
        while not text.startswith("{") and "Ctrl-C" not in text:
            line = self.process.stdout.readline()
            assert line, f"duvo dev did not start: {text}"
            text += line
        return text

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables of its clients, if it was started with `--json`."""
        printed = json.loads(self.output)
        return {
            "DUVO_API_KEY": printed["api_key"],
            "DUVO_API_BASE_URL": printed["base_url"],
            "DUVO_TEAM_ID": printed["team_id"],
        }

    def api(self) -> LocalApi:
        """A session with it, if it was started with `--json`."""
        printed = json.loads(self.output)
        return LocalApi(printed["base_url"], printed["api_key"], printed["team_id"])


@contextlib.contextmanager
def running_dev(folder: Path, *arguments: str) -> Iterator[DevProcess]:
    """Run `duvo dev` for the length of a block, with profile, state and stderr in a folder."""
    state = {"DUVO_CONFIG_DIR": str(folder / "config"), "DUVO_STATE_DIR": str(folder / "state")}
    # A fixture of the session does not see the environment of a test.
    others = {name: value for name, value in os.environ.items() if not name.startswith("DUVO_")}
    with (folder / "stderr.txt").open("w+") as errors:
        process = subprocess.Popen(
            [DUVO, "dev", "--port", "0", *arguments],
            env={**others, **state},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        dev = DevProcess(Command(state), process)
        try:
            assert dev.output
            yield dev
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=30)
            errors.seek(0)
            assert (process.returncode, out) == (0, ""), errors.read()
        finally:
            process.kill()
            process.communicate()
