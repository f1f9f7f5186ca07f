"""Finding a run by the first characters of its id."""

from __future__ import annotations

from .. import _errors
from .._advice import words
from .._http import paths
from .._lists.pages import Pages
from .._models import wire
from .._run.state import RunState
from .._settings.credentials import checked_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.steps import Flow
    from .._http.api import Api

NEWEST = 300
"""Number of runs among which a run is looked for."""

_FEWEST = 4
_LONG = 36
"""Characters from which a text is taken for a whole id."""


def find_run(api: Api, prefix: str) -> Flow[RunState]:
    """Find the run among the newest whose id begins like this."""
    if len(prefix) >= _LONG:
        return RunState(prefix)
    if len(checked_id(prefix, "run")) < _FEWEST:
        raise _errors.ConfigError(
            f"{prefix!r} is too short for a run: give its id, or at least the first {_FEWEST} "
            "characters of it"
        )
    path = paths.runs((yield from api.team_id()))
    params = [("sort_order", "desc")]
    pages = Pages(api, path, "data", params=params, newest_first=True, limit=NEWEST)
    found = []
    while (page := (yield from pages.next_page())) is not None:
        found += [item for item in page if item["id"].lower().startswith(prefix.lower())]
    if not found:
        raise _errors.NotFound(
            f"none of the newest {NEWEST} runs has an id that begins with {prefix!r}; "
            f"{words().list_runs()}, or give the whole id",
            status=404,
        )
    if len(found) > 1:
        described = ", ".join(f"{item['id']} ({wire.run(item)['status']})" for item in found)
        raise _errors.AmbiguousRun(
            f"{len(found)} runs begin with {prefix!r}: give more characters, of one of {described}",
            run_ids=[item["id"] for item in found],
        )
    return RunState(found[0]["id"], found[0], listed=True)
