"""`duvo profiles use`: make a profile the default."""

from __future__ import annotations

from argparse import Namespace

from ...output import details
from ...parser import Parser


def register(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the profile")
    parser.explain(examples="duvo profiles use work")


def run(args: Namespace) -> int:
    from duvo import profiles

    profiles.use(args.name)
    details.show(args, {"default": args.name}, lambda: [f"profile {args.name} is now the default"])
    return 0
