"""Reads of runs and conversations; `ApiError` for an unknown run."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from .._database import schema
from . import shapes, statuses
from .api_errors import no_run
from .shapes import Shape

runs, messages, requests = schema.runs, schema.messages, schema.requests


@attrs.frozen
class View:
    """A run, or a page of its conversation: the response's body, and what to wait for."""

    body: Shape
    ended: bool  # whether the run's status is final
    request_id: str | None = None  # of the run's pending human request


def run(connection: sa.Connection, run_id: str) -> View:
    """Return a run, with its pending human request."""
    row = connection.execute(
        sa.select(runs, requests.c.spec, requests.c.created_at.label("asked_at"))
        .outerjoin(requests, requests.c.id == runs.c.pending_request_id)
        .where(runs.c.id == run_id)
    ).one_or_none()
    if row is None:
        raise no_run()
    body: Shape = {"run": shapes.run(row)}
    if row.pending_request_id is not None:
        body["pending_human_request"] = shapes.pending_request(
            row.pending_request_id, row.spec, row.asked_at
        )
    return View(body, row.status in statuses.ENDED, row.pending_request_id)


def is_known(connection: sa.Connection, run_id: str) -> bool:
    """Return whether there is such a run."""
    return connection.scalar(sa.select(runs.c.id).where(runs.c.id == run_id)) is not None


def page(connection: sa.Connection, run_id: str, offset: int, limit: int) -> View:
    """Return a page of a conversation, oldest message first."""
    row = connection.execute(
        sa.select(runs.c.messages, runs.c.status).where(runs.c.id == run_id)
    ).one_or_none()
    if row is None:
        raise no_run()
    # Only messages that the row counts: on PostgreSQL the second read may see a later commit.
    end = min(offset + limit, row.messages)
    found = (
        connection.execute(
            sa.select(messages)
            .where(messages.c.run_id == run_id, messages.c.seq > offset, messages.c.seq <= end)
            .order_by(messages.c.seq)
        ).all()
        if end > offset
        else []
    )
    body = {
        "messages": [shapes.message(message) for message in found],
        "total": row.messages,
        "limit": limit,
        "offset": offset,
    }
    return View(body, row.status in statuses.ENDED)


@attrs.frozen
class Filters:
    """The filters of a list of runs. Times are Unix milliseconds; with `nothing`, none match.

    The filters by time of completion leave out runs that have not ended.
    """

    status: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    source: str | None = None
    search: str | None = None
    created_since: int | None = None
    completed_since: int | None = None
    completed_until: int | None = None
    nothing: bool = False


def run_list(
    connection: sa.Connection, filters: Filters, *, offset: int, limit: int, newest_first: bool
) -> Shape:
    """Return a page of the runs that match the filters, and their total."""
    where = _conditions(filters)
    total = connection.scalar(sa.select(sa.func.count()).select_from(runs).where(*where)) or 0
    order = (runs.c.created_at, runs.c.run_number, runs.c.id)
    found = connection.execute(
        sa.select(runs)
        .where(*where)
        .order_by(*(column.desc() if newest_first else column for column in order))
        .limit(limit)
        .offset(offset)
    ).all()
    return {"data": [shapes.run_item(row) for row in found], "total": total}


def last_runs(connection: sa.Connection) -> dict[str, int]:
    """Return the time of each agent's last run, by the agent's id."""
    rows = connection.execute(
        sa.select(runs.c.agent_id, sa.func.max(runs.c.created_at)).group_by(runs.c.agent_id)
    )
    return {row[0]: row[1] for row in rows}


def unfinished(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """Return the agents that have unfinished runs: id, name, number of runs."""
    rows = connection.execute(
        sa.select(runs.c.agent_id, sa.func.max(runs.c.agent_name), sa.func.count())
        .where(runs.c.status.not_in(statuses.ENDED))
        .group_by(runs.c.agent_id)
    )
    return [(agent_id, name, count) for agent_id, name, count in rows]


def statuses_of_unfinished(connection: sa.Connection) -> dict[str, str]:
    """Return the statuses of the runs that have not ended, by their ids."""
    rows = connection.execute(
        sa.select(runs.c.id, runs.c.status).where(runs.c.status.not_in(statuses.ENDED))
    )
    return {row.id: row.status for row in rows}


def pending(connection: sa.Connection) -> list[tuple[str, int]]:
    """Return the runs whose turn may not have been started yet: id, turn."""
    rows = connection.execute(
        sa.select(runs.c.id, runs.c.turn).where(runs.c.status == statuses.PENDING)
    )
    return [(run_id, turn) for run_id, turn in rows]


def current_turns(connection: sa.Connection, run_ids: list[str]) -> list[tuple[str, int, str]]:
    """Return the id, turn and status of those runs."""
    rows = connection.execute(
        sa.select(runs.c.id, runs.c.turn, runs.c.status).where(runs.c.id.in_(run_ids))
    )
    return [(run_id, turn, status) for run_id, turn, status in rows]


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if filters.nothing:
        where.append(sa.false())
    if filters.status is not None:
        status = statuses.IN_FILTERS.get(filters.status, filters.status)
        where.append(runs.c.status == status)
    for column in (runs.c.agent_id, runs.c.user_id, runs.c.source):
        value = getattr(filters, column.name)
        if value is not None:
            where.append(column == value)
    if filters.created_since is not None:
        where.append(runs.c.created_at >= filters.created_since)
    if filters.completed_since is not None or filters.completed_until is not None:
        where.append(runs.c.status.in_(statuses.ENDED))
    if filters.completed_since is not None:
        where.append(runs.c.finished_at >= filters.completed_since)
    if filters.completed_until is not None:
        where.append(runs.c.finished_at <= filters.completed_until)
    if filters.search:
        where.append(
            sa.or_(
                runs.c.title.icontains(filters.search, autoescape=True),
                runs.c.agent_name.icontains(filters.search, autoescape=True),
            )
        )
    return where
