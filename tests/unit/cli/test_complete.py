"""Words for completion: the settings of their requests, and the modules loaded before."""

from __future__ import annotations

import json

import pytest

from duvo_cli import registry
from duvo_cli.commands.complete import settings
from duvo_cli.help import overview
from tests.unit.cli.test_loading import loaded_by, run_script

UP_TO_THE_SDK = """
import json, os, sys
before = set(sys.modules)

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "duvo":
            loaded = sorted(set(sys.modules) - before)
            os.write(1, json.dumps(loaded).encode())
            os._exit(0)

sys.meta_path.insert(0, Watch())
from duvo_cli.__main__ import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("kind", ["runs", "agents", "profiles"])
def test_complete_loads_no_more_than_the_help_before_it_loads_the_sdk(kind: str):
    done = run_script(UP_TO_THE_SDK, "complete", kind, "duvo runs get ")
    own = {"duvo_cli.commands", "duvo_cli.commands.complete"}
    assert set(json.loads(done.stdout)) - own <= loaded_by("--help")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("duvo runs get ", {}),
        ("duvo --profile work runs get 1", {"profile": "work"}),
        ("duvo runs get --profile=work --team t1 ", {"profile": "work", "team_id": "t1"}),
        ("duvo --base-url 'http://127.0.0.1:1' runs", {"base_url": "http://127.0.0.1:1"}),
        ('duvo --profile "my own" agents get "Inv', {"profile": "my own"}),
        ("duvo agents get 'it --profile x", {}),
        ('duvo runs start --message "see --base-url http://x.test" --agent ', {}),
        ("duvo runs get --profile", {}),
        ("duvo runs get --profile=", {}),
        ("duvo dev -- other --profile x", {}),
        ("duvo # --profile x", {"profile": "x"}),
    ],
)
def test_settings_are_taken_from_the_typed_line(line: str, expected: dict[str, str]):
    assert settings(line) == expected


def test_the_help_does_not_mention_the_complete_command():
    assert registry.HIDDEN not in registry.COMMANDS
    assert f"\n  {registry.HIDDEN} " not in overview.overview()
