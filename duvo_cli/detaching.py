"""What Ctrl-C and a timeout leave behind: the runs continue, unless their engine ends too."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable

from .errors import Interrupted

ENGINE = "DUVO_DEV_DATABASE"
"""The variable that `duvo dev -- duvo …` sets for the command, with which its engine ends."""

TEMPORARY = "temporary"
KEPT = "kept"


def detached(
    args: Namespace, runs: str, advice: str, commands: Iterable[str] = (), *, many: bool = False
) -> Interrupted:
    """The end of a command by Ctrl-C, whose runs would have been followed further.

    Args:
        runs: the runs; `many`: they are in the plural.
        advice: how to continue, where the server continues too.
    """
    fate = fate_with_engine(args, many=many)
    if fate is not None:
        return Interrupted(f"stopped following; {runs} {fate}")
    verb = "continue" if many else "continues"
    return Interrupted(f"detached; {runs} {verb}; {advice}", commands)


def fate_with_engine(args: Namespace, *, many: bool = False) -> str | None:
    """What becomes of runs if the server is the engine of `duvo dev -- COMMAND`, or None."""
    if args.base_url is not None or args.profile is not None:
        return None
    engine = os.environ.get(ENGINE)
    if engine == TEMPORARY:
        return f"{'end' if many else 'ends'} with the temporary engine of `duvo dev`"
    if engine == KEPT:
        verb = "continue" if many else "continues"
        return f"{verb} at the next `duvo dev` on the same database"
    return None
