"""Garbage collection, which would take a good part of a short command's time."""

from __future__ import annotations

import pytest

from tests.unit.cli.test_loading import run_script

SCRIPT = """
import atexit, contextlib, gc, io, sys
collected = []
# Python 3.12 freezes some objects itself.
before = gc.get_freeze_count()
# What is registered first runs last.
atexit.register(lambda: sys.stdout.write(f"{gc.get_freeze_count() > before} {len(collected)}"))
from duvo_cli.__main__ import main
gc.callbacks.append(lambda phase, info: collected.append(info["generation"]))
with contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["runs", "get", "--help"], "True 0"),
        (["whoami", "--help"], "True 0"),
        # Agents run in their processes until the end.
        (["dev", "--help"], "False 0"),
        (["serve", "--help"], "False 0"),
    ],
)
def test_short_commands_collect_nothing_until_they_have_ended(
    arguments: list[str], expected: str
) -> None:
    assert run_script(SCRIPT, *arguments).stdout == expected
