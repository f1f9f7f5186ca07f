"""`duvo profiles add`: add a profile, or replace one."""

from __future__ import annotations

import sys

from ...errors import CommandFailed
from ...input import text
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("name", metavar="NAME", help="how to call it")
    parser.add_argument("--team-id", metavar="ID", help="its team; the same as --team")
    parser.add_argument("--default", action="store_true", default=None, help="use it by default")
    parser.add_argument("--key-stdin", action="store_true", help="read the key from stdin")
    parser.explain(
        "The key is asked for in a terminal, and else read from stdin. It is kept in a\n"
        "file that you alone can read. The first profile becomes the default one.",
        examples="""
duvo profiles add work
duvo profiles add ci --team-id "$TEAM_ID" --default < key.txt
""",
    )


def run(args: argparse.Namespace) -> int:
    """Add it; returns the exit code."""
    from duvo import profiles

    added = profiles.add(
        args.name,
        _key(args),
        base_url=args.base_url,
        team_id=args.team_id or args.team,
        default=args.default,
    )
    known = profiles.load()
    is_default = known.default == added.name
    if args.json:
        from ...output import json

        json.print_document({"name": added.name, "default": is_default})
    else:
        use = "it is the default one" if is_default else f"use it with --profile {added.name}"
        terminal.write(f"profile {terminal.in_one_line(added.name)} saved in {profiles.path()}")
        terminal.say(use)
    return 0


def _key(args: argparse.Namespace) -> str:
    if args.key_stdin or not terminal.is_terminal(sys.stdin):
        key = text.read_stdin().decode(errors="replace").strip()
        if not key:
            raise CommandFailed("there was no key on stdin")
        return key
    from getpass import getpass

    try:
        key = getpass("API key (not shown): ").strip()
    except EOFError:
        key = ""
    if not key:
        raise CommandFailed("no key was given")
    return key
