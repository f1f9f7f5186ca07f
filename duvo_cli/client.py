"""The SDK's client, made from the options that all commands share."""

from __future__ import annotations

import duvo

from .output import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_ONE_REQUEST = 30.0


def client_of(args: argparse.Namespace, *, waits: bool = False) -> duvo.Client:
    """A client with the settings of the command line.

    Args:
        args: the parsed arguments.
        waits: `--timeout` is the time of the whole command, not of one request.

    Raises:
        ConfigError: a setting that cannot work.
    """
    logs.show(debug=args.debug)
    timeout = _ONE_REQUEST if args.timeout is None else args.timeout
    return duvo.Client(
        base_url=args.base_url,
        team_id=args.team,
        profile=args.profile,
        timeout=min(timeout, _ONE_REQUEST) if waits else timeout,
        user_agent=f"duvo-cli/{duvo.__version__}",
    )


def command_line(args: argparse.Namespace, *words: str) -> str:
    """A `duvo` command for the shell, with the settings that this one was given."""
    settings = [
        part
        for flag, value in (
            ("--profile", args.profile),
            ("--team", args.team),
            ("--base-url", args.base_url),
        )
        if value is not None
        for part in (flag, value)
    ]
    import shlex

    return shlex.join(["duvo", *words, *settings])
