"""Runs and results as flat rows, for tables such as a pandas DataFrame. Sends nothing."""

from __future__ import annotations

from .._errors import NotLoaded
from .._tables.results_csv import Outcome, input_fields, names_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FIELDS = (
    "id",
    "status",
    "agent_id",
    "agent_name",
    "title",
    "run_number",
    "source",
    "created_at",
    "started_at",
    "completed_at",
    "answer",
    "failure",
)


def of_run(run: Any) -> dict[str, Any]:
    """Return the fields of a run; those that have not been read are None."""
    return {name: known(run, name) for name in _FIELDS}


def of_result(result: Any) -> dict[str, Any]:
    """Return the fields of an input and of its run, with the names of `Results.to_csv`."""
    run = result.run
    fields = input_fields(result.input)
    outcome = Outcome(run.status, known(run, "answer"), known(run, "failure"), run.id)
    return {**fields, **dict(zip(names_beside(fields), outcome, strict=True))}


def known(run: Any, name: str) -> Any:
    """Return an attribute of a run, or None if its data has not been read yet."""
    try:
        return getattr(run, name)
    except NotLoaded:
        return None
