"""`duvo profiles add`: add or replace a profile."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from shlex import quote

import duvo
from duvo._advice import using

from ...advice import CommandWords
from ...client import USER_AGENT
from ...errors import NO_ACCESS, CommandFailed, UsageError
from ...input import text
from ...output import details, terminal
from ...parser import Parser, identifier

_LONGEST_CHECK = 10.0


def register(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the profile's name")
    parser.add_argument(
        "--team-id", type=identifier, metavar="ID", help="the profile's team; same as --team"
    )
    parser.add_argument(
        "--default", action="store_true", default=None, help="make it the default profile"
    )
    parser.add_argument(
        "--no-check", action="store_true", help="do not ask the server whether it accepts the key"
    )
    parser.add_argument("--key-stdin", action="store_true", help="read the key from stdin")
    parser.explain(
        "Asks for the key in a terminal, and reads it from stdin otherwise. The key is\n"
        "kept in a file that only you can read. The first profile becomes the default.\n"
        "A key that the server refuses is not saved.",
        examples="""
duvo profiles add work
duvo profiles add ci --team-id "$TEAM_ID" --default < key.txt
""",
    )


def run(args: Namespace) -> int:
    from duvo import profiles

    if args.team_id is not None and args.team not in (None, args.team_id):
        raise UsageError("--team-id and --team give two teams", "profiles add")
    key = _key(args)
    if not args.no_check:
        _check(args, key)
    added = profiles.add(
        args.name,
        key,
        base_url=args.base_url,
        team_id=args.team_id or args.team,
        default=args.default,
    )
    is_default = profiles.load().default == added.name
    saved = f"profile {terminal.in_one_line(added.name)} saved in {profiles.path()}"
    details.show(args, {"name": added.name, "default": is_default}, lambda: [saved])
    if not args.json:
        use = f"use it with --profile {quote(added.name)}"
        terminal.say("it is the default profile" if is_default else use)
    return 0


def _check(args: Namespace, key: str) -> None:
    """Raise if the server does not accept the key; warn if it cannot be asked."""
    from duvo import profiles

    client = duvo.Client(
        key,
        args.base_url or profiles.HOSTED,
        args.team_id or args.team,
        timeout=args.timeout or _LONGEST_CHECK,
        max_retries=0,
        user_agent=USER_AGENT,
    )
    try:
        with using(partial(_Words, args)):
            client.teams.list()
    except (duvo.ConnectionError, duvo.TimeoutError, duvo.ServerError, duvo.RateLimited) as error:
        terminal.say(f"the key could not be checked: {error}")
    except duvo.AuthenticationError as error:
        name = terminal.in_one_line(args.name)
        raise CommandFailed(f"profile {name} was not saved: {error}", NO_ACCESS) from None


class _Words(CommandWords):
    def check_key(self) -> str:
        return "check the key that was given"


def _key(args: Namespace) -> str:
    if args.key_stdin or not terminal.is_terminal(sys.stdin):
        key = text.text_of("-").strip()
        if not key:
            raise CommandFailed("stdin has no key")
        return key
    from getpass import getpass

    try:
        key = getpass("API key (not shown): ").strip()
    except EOFError:
        key = ""
    if not key:
        raise CommandFailed("no key was entered")
    return key
