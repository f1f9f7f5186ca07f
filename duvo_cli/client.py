"""The SDK's client, with the settings of the command line."""

from __future__ import annotations

from argparse import Namespace

import duvo

from .output import logs

USER_AGENT = f"duvo-cli/{duvo.__version__}"

_ONE_REQUEST = 30.0


def client_of(args: Namespace, *, waits: bool = False) -> duvo.Client:
    """Make a client; with `waits`, `--timeout` limits the whole command, not one request."""
    logs.show(debug=args.debug)
    timeout = _ONE_REQUEST if args.timeout is None else args.timeout
    return duvo.Client(
        base_url=args.base_url,
        team_id=args.team,
        profile=args.profile,
        timeout=min(timeout, _ONE_REQUEST) if waits else timeout,
        user_agent=USER_AGENT,
    )
