"""The SDK's client, with the settings and the runs of the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

import duvo

from .errors import ERROR, NOT_FOUND, CommandFailed, worst
from .output import logs, terminal

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


def each_run(
    client: duvo.Client, args: Namespace, do: Callable[[duvo.Client, duvo.Run, Namespace], int]
) -> int:
    """Call a function for each of `args.run_ids` and return the exit code of them all.

    The error of a single run is raised; those of several are reported, and count as 1,
    or as 3 if runs that were not found are the only ones.
    """
    run_ids = list({run_id.casefold(): run_id for run_id in args.run_ids}.values())
    if len(run_ids) == 1:
        return do(client, client.runs.find(run_ids[0]), args)
    codes = []
    for run_id in run_ids:
        try:
            codes.append(do(client, client.runs.find(run_id), args))
        except (duvo.NotFound, duvo.AmbiguousRun, duvo.Conflict, CommandFailed) as error:
            terminal.say(str(error))
            codes.append(NOT_FOUND if isinstance(error, duvo.NotFound) else ERROR)
    return worst(codes)
