"""`duvo profiles remove`: remove a profile."""

from __future__ import annotations

from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("name", metavar="NAME", help="the profile")
    parser.explain(examples="duvo profiles remove work")


def run(args: argparse.Namespace) -> int:
    """Remove it; returns the exit code."""
    from duvo import profiles

    profiles.remove(args.name)
    if args.json:
        from ...output import json

        json.print_document({"removed": args.name})
    else:
        terminal.write(f"profile {args.name} removed")
    return 0
