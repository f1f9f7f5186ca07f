"""The manual pages: one parser for each, which the build hands to argparse-manpage.

The build loads this file by its path, in an environment that has none of the
packages that the command needs to run.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from duvo_cli.help.overview import TOPICS  # noqa: E402
from duvo_cli.parser import Parser, parser_of  # noqa: E402
from duvo_cli.registry import COMMANDS, GROUPS  # noqa: E402


def page_of(command: str) -> str:
    """The name of a command's page, as `man` takes it: `duvo-runs-start`."""
    return f"duvo-{command.replace(' ', '-')}"


def function_of(command: str) -> str:
    """The name under which the build finds a command's parser here."""
    return command.replace(" ", "_").replace("-", "_")


def of_all() -> argparse.ArgumentParser:
    """For the page `duvo`."""
    made = argparse.ArgumentParser(
        prog="duvo",
        usage="duvo COMMAND …",
        description="Start, follow, answer and stop Duvo agent runs, from the shell.",
        epilog="\n\n".join(topic.rstrip() for topic in TOPICS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.man_short_description = "runs of Duvo agents"  # type: ignore[attr-defined]
    for group in (*GROUPS, ""):
        section = made.add_argument_group(group or "other commands")
        for command, explained in COMMANDS.items():
            if command.rpartition(" ")[0] == group:
                section.add_argument(command, help=f"{explained}; see {page_of(command)}(1)")
    return made


def of_command(command: str) -> Parser:
    """For the page of a command."""
    made = parser_of(command)
    _, _, usage = made.format_usage().partition(": ")
    made.usage = usage.replace("%", "%%")
    made.prog = page_of(command)
    made.man_short_description = COMMANDS[command]  # type: ignore[attr-defined]
    return made


# The build finds each by the name of a function: `runs_start` for `duvo-runs-start`.
globals().update({function_of(command): partial(of_command, command) for command in COMMANDS})
