"""The generated documentation of the command."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from duvo_cli.help import manual
from duvo_cli.registry import COMMANDS

ROOT = Path(__file__).parents[3]


def test_the_reference_page_is_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    script = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert script["reference"]() == written, "stale: run `python docs/reference.py`"


def test_every_command_has_a_manual_page():
    pages = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for command in COMMANDS:
        page = f'"man/{manual.page_of(command)}.1:function={manual.function_of(command)}:'
        assert page in pages
    assert pages.count('"man/') == len(COMMANDS) + 1
