"""`duvo` commands that messages recommend."""

from __future__ import annotations

from argparse import Namespace


def command_line(args: Namespace, *words: str) -> str:
    """The `duvo` command of these words for the shell, with the settings of this command line."""
    import shlex

    settings = {"--profile": args.profile, "--team": args.team, "--base-url": args.base_url}
    for flag, value in settings.items():
        if value is not None:
            words += (flag, value)
    return shlex.join(["duvo", *words])
