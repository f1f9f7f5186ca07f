"""The modules that commands load, which decide their start-up time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.servers.fake_api import KEY, TEAM, FakeAPI

SCRIPT = """
import contextlib, io, json, sys
before = set(sys.modules)
from duvo_cli.__main__ import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
print(json.dumps([code, sorted(set(sys.modules) - before)]))
"""

HEAVY = {
    "asyncio",
    "attr",
    "attrs",
    "cattrs",
    "dataclasses",
    "dbos",
    "inspect",
    "platformdirs",
    "requests",
    "sqlalchemy",
    "starlette",
    "tenacity",
    "tomli",
    "tomllib",
    "typing",
    "uvicorn",
    "wcwidth",
}


def run_script(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a program without `site`, which would load modules first."""
    return subprocess.run(
        [sys.executable, "-S", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings},
        capture_output=True,
        text=True,
        check=True,
    )


def loaded_by(*arguments: str, **settings: str) -> set[str]:
    done = run_script(SCRIPT, *arguments, **settings)
    code, names = json.loads(done.stdout)
    assert code == 0, done.stderr
    return set(names)


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_version_loads_neither_argparse_nor_re_nor_importlib():
    loaded = loaded_by("--version")
    assert not {"argparse", "gettext", "importlib", "re"} & loaded
    assert {name for name in loaded if name.startswith("duvo")} == {
        "duvo",
        "duvo._version",
        "duvo_cli",
        "duvo_cli.__main__",
    }


@pytest.mark.parametrize("arguments", ["--help", "runs --help", "help", "help exit-codes"])
def test_help_loads_no_heavy_module(arguments: str):
    assert not HEAVY & roots(loaded_by(*arguments.split()))


def test_the_overview_does_not_load_argparse():
    assert "argparse" not in loaded_by("--help")


def test_a_run_as_json_needs_few_modules_beside_requests(fake_api: FakeAPI):
    settings = {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": fake_api.base_url, "DUVO_TEAM_ID": TEAM}
    loaded = loaded_by("runs", "get", fake_api.start(), "--json", **settings)
    own = {name for name in loaded if name.startswith("duvo_cli.")}
    assert own == {
        "duvo_cli.__main__",
        "duvo_cli.client",
        "duvo_cli.commands",
        "duvo_cli.commands.runs",
        "duvo_cli.commands.runs.get",
        "duvo_cli.errors",
        "duvo_cli.output",
        "duvo_cli.output.details",
        "duvo_cli.output.json",
        "duvo_cli.output.logs",
        "duvo_cli.output.terminal",
        "duvo_cli.parser",
        "duvo_cli.registry",
    }
    unwanted = {"attr", "attrs", "cattrs", "tenacity", "platformdirs", "tomllib", "tomli", "shlex"}
    unwanted.add("wcwidth")
    assert not unwanted & roots(loaded)
    # Only a caller's own session needs it.
    assert "duvo._http.callers_session" not in loaded
    assert "requests" in loaded
