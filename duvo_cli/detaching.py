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
    """The error for Ctrl-C in a command that follows runs.

    Args:
        runs: names the runs; `many` if there are several.
        advice: how to continue, if the server continues too.
    """
    outcome = at_engine_end(args, many=many)
    if outcome is not None:
        return Interrupted(f"stopped following; {runs} {outcome}")
    verb = "continue" if many else "continues"
    return Interrupted(f"detached; {runs} {verb}; {advice}", commands)


def at_engine_end(args: Namespace, *, many: bool = False) -> str | None:
    """What happens to runs when the engine of `duvo dev -- duvo …` ends; None on other servers."""
    if args.base_url is not None or args.profile is not None:
        return None
    engine = os.environ.get(ENGINE)
    if engine == TEMPORARY:
        return f"{'end' if many else 'ends'} with the temporary engine of `duvo dev`"
    if engine == KEPT:
        verb = "continue" if many else "continues"
        return f"{verb} at the next `duvo dev` on the same database"
    return None
