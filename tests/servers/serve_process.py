"""A running `duvo serve` of the installed command."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.engine_api import EngineAPI
from tests.support.command import Command

KEY = "dv_one_0123456789abcdef"
OTHER = "dv_two_0123456789abcdef"

AGENTS = """
from duvo.local import agent

@agent("Greeter", description="greets")
async def greeter(run):
    await run.say(f"Hello, {run.message}")

@agent("Asker")
async def asker(run):
    if await run.approval("Go on?"):
        await run.say("went on")
"""


class ServeProcess:
    """The process, started with `--json`."""

    def __init__(self, process: subprocess.Popen[str]):
        self.process = process

    @functools.cached_property
    def printed(self) -> dict[str, Any]:
        """What it printed when it had started."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        printed = json.loads(line)
        assert isinstance(printed, dict)
        return printed

    @property
    def base_url(self) -> str:
        return str(self.printed["base_url"])

    def api(self, key: str = KEY) -> EngineAPI:
        return EngineAPI(self.base_url, key, self.printed["team_id"])

    def health(self) -> tuple[int, dict[str, str]]:
        """Return status and body of /health."""
        answer = requests.get(f"{self.base_url}/health", timeout=10)
        return answer.status_code, answer.json()

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Return the value of each sample by name and labels."""
        answer = requests.get(f"{self.base_url}/metrics", timeout=10)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert KEY not in answer.text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def next_error_line(self) -> str:
        """Return the next line on stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; returns the exit code and the rest of stderr."""
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=20)
        assert out == ""
        return self.process.returncode, errors


@contextmanager
def running_serve(command: Command, *arguments: str, **settings: str) -> Iterator[ServeProcess]:
    """Run `duvo serve` for the length of a block, and kill it if it still runs at the end."""
    process = command.start("serve", *arguments, "--json", **settings)
    try:
        yield ServeProcess(process)
    finally:
        process.kill()
        process.communicate()
