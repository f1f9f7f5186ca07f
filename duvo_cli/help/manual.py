"""The parsers of the manual pages, from which the build makes them with argparse-manpage.

The build loads this file by its path, in an environment without the packages
that the command needs to run.
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
from duvo_cli.registry import COMMANDS, GROUPS, commands_of  # noqa: E402


def page_of(command: str) -> str:
    """The name of a command's page, such as `duvo-runs-start`."""
    return f"duvo-{command.replace(' ', '-')}"


def function_of(command: str) -> str:
    """The name of the function here that makes a command's parser."""
    return command.replace(" ", "_").replace("-", "_")


def of_all() -> argparse.ArgumentParser:
    """Make the parser of the page `duvo`."""
    page = argparse.ArgumentParser(
        prog="duvo",
        usage="duvo COMMAND …",
        description="Start, follow, answer and stop Duvo agent runs from the shell.",
        epilog="\n\n".join(topic.rstrip() for topic in TOPICS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    page.man_short_description = "runs of Duvo agents"  # type: ignore[attr-defined]
    for group in (*GROUPS, ""):
        section = page.add_argument_group(group or "other commands")
        for word, about in commands_of(group).items():
            command = f"{group} {word}".strip()
            section.add_argument(command, help=f"{about}; see {page_of(command)}(1)")
    return page


def of_command(command: str) -> Parser:
    """Make the parser of a command's page."""
    page = parser_of(command)
    _, _, usage = page.format_usage().partition(": ")
    page.usage = usage.replace("%", "%%")
    page.prog = page_of(command)
    page.man_short_description = COMMANDS[command]  # type: ignore[attr-defined]
    return page


# The build looks functions up by name, such as `runs_start` for `duvo-runs-start`.
globals().update({function_of(command): partial(of_command, command) for command in COMMANDS})
