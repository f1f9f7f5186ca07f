"""`duvo profiles list`: list the profiles."""

from __future__ import annotations

import sys

from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo.profiles import Profiles

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.explain("The default one has a star. Of a key, the last four characters are shown.")


def run(args: argparse.Namespace) -> int:
    """List them; returns the exit code."""
    from duvo import profiles

    known = profiles.load()
    if args.json:
        from ...output import json

        json.print_document(
            {
                "default": known.default,
                "profiles": [
                    {"name": one.name, "base_url": one.base_url, "team_id": one.team_id}
                    for one in known.profiles.values()
                ],
            }
        )
    else:
        terminal.write("\n".join(_lines(known)))
    return 0


def _lines(known: Profiles) -> list[str]:
    from ...output.table import table

    if not known.profiles:
        return ["no profiles; `duvo profiles add NAME` makes one"]
    return table(
        ("", "NAME", "KEY", "SERVER", "TEAM"),
        [
            (
                "*" if one.name == known.default else "",
                one.name,
                f"…{one.api_key[-4:]}" if len(one.api_key) >= 16 else "…",
                one.base_url or "https://api.duvo.ai",
                one.team_id or "",
            )
            for one in known.profiles.values()
        ],
        terminal.width(sys.stdout),
    )
