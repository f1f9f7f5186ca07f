"""`duvo profiles use`: make a profile the default one."""

from __future__ import annotations

from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("name", metavar="NAME", help="the profile")
    parser.explain(examples="duvo profiles use work")


def run(args: argparse.Namespace) -> int:
    """Make it the default one; returns the exit code."""
    from duvo import profiles

    profiles.use(args.name)
    if args.json:
        from ...output import json

        json.print_document({"default": args.name})
    else:
        terminal.write(f"profile {args.name} is the default one")
    return 0
