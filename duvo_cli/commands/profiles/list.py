"""`duvo profiles list`: list the profiles."""

from __future__ import annotations

from argparse import Namespace

from ...output import listing
from ...parser import Parser


def register(parser: Parser) -> None:
    parser.explain("A star marks the default. Only the last four characters of a key are shown.")


def run(args: Namespace) -> int:
    from duvo import profiles

    known = profiles.load()
    saved = list(known.profiles.values())
    document = {
        "default": known.default,
        "profiles": [
            {"name": profile.name, "base_url": profile.base_url, "team_id": profile.team_id}
            for profile in saved
        ],
    }
    listing.show(
        args,
        saved,
        {
            "": lambda profile: "*" if profile.name == known.default else "",
            "NAME": lambda profile: profile.name,
            "KEY": lambda profile: _masked(profile.api_key),
            "SERVER": lambda profile: profile.base_url or profiles.HOSTED,
            "TEAM": lambda profile: profile.team_id or "",
        },
        document,
        empty="no profiles; `duvo profiles add NAME` adds one",
    )
    return 0


def _masked(key: str) -> str:
    return f"…{key[-4:]}" if len(key) >= 16 else "…"
