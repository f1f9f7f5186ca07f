"""What Ctrl-C leaves behind: the runs continue, unless their engine ends too."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable

from .errors import Interrupted

ENGINE = "DUVO_DEV_DATABASE"
"""The variable that `duvo dev -- COMMAND` sets for COMMAND, with which its engine ends."""

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
    own_server = args.base_url is not None or args.profile is not None
    engine = None if own_server else os.environ.get(ENGINE)
    if engine == TEMPORARY:
        verb = "end" if many else "ends"
        return Interrupted(f"stopped; {runs} {verb} with the temporary engine of `duvo dev`")
    verb = "continue" if many else "continues"
    if engine == KEPT:
        return Interrupted(f"detached; {runs} {verb} at the next `duvo dev` on the same database")
    return Interrupted(f"detached; {runs} {verb}; {advice}", commands)
