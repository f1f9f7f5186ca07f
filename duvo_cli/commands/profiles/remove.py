"""`duvo profiles remove`: remove a profile."""

from __future__ import annotations

from argparse import Namespace

from ...advice import CommandWords
from ...output import details, terminal
from ...parser import Parser


def register(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the profile")
    parser.explain(examples="duvo profiles remove work")


def run(args: Namespace) -> int:
    from duvo import profiles

    profiles.remove(args.name)
    details.show(args, {"removed": args.name}, lambda: [f"profile {args.name} removed"])
    if choices := profiles.load().choices:
        terminal.say(CommandWords(args).choose_profile(choices))
    return 0
