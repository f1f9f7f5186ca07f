"""`duvo` commands that messages recommend."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def command_line(args: argparse.Namespace, *words: str) -> str:
    """A `duvo` command for the shell, which repeats the settings of this one.

    Args:
        args: this command line.
        words: the recommended command, without `duvo`.
    """
    import shlex

    settings = []
    for flag, value in (
        ("--profile", args.profile),
        ("--team", args.team),
        ("--base-url", args.base_url),
    ):
        if value is not None:
            settings += [flag, value]
    return shlex.join(["duvo", *words, *settings])
