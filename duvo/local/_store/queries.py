"""Reading runs and conversations."""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa

from .._database import schema
from . import shapes, statuses
from .refusals import Refused

runs, messages, requests = schema.runs, schema.messages, schema.requests

Shape = dict[str, Any]


@attrs.frozen
class RunView:
    """A run as it was read.

    Attributes:
        body: the API's answer.
        ended: whether its status is a final one.
        request_id: of the human request that it waits with, or None.
    """

    body: Shape
    ended: bool
    request_id: str | None


@attrs.frozen
class PageView:
    """A page of a conversation as it was read.

    Attributes:
        body: the API's answer.
        ended: whether the run's status was a final one.
    """

    body: Shape
    ended: bool


def run(connection: sa.Connection, run_id: str) -> RunView:
    """One run, with the human request that it waits with.

    Raises:
        Refused: there is none.
    """
    row = connection.execute(
        sa.select(runs, requests.c.spec, requests.c.created_at.label("asked_at"))
        .outerjoin(requests, requests.c.id == runs.c.pending_request_id)
        .where(runs.c.id == run_id)
    ).one_or_none()
    if row is None:
        raise _no_run()
    body: Shape = {"run": shapes.run(row)}
    if row.pending_request_id is not None:
        body["pending_human_request"] = shapes.pending_request(
            row.pending_request_id, row.spec, row.asked_at
        )
    return RunView(body, row.status in statuses.ENDED, row.pending_request_id)


def page(connection: sa.Connection, run_id: str, offset: int, limit: int) -> PageView:
    """A page of a conversation, oldest first.

    Raises:
        Refused: there is no such run.
    """
    row = connection.execute(
        sa.select(runs.c.messages, runs.c.status).where(runs.c.id == run_id)
    ).one_or_none()
    if row is None:
        raise _no_run()
    # Only what the row counts: on some databases a later commit shows in the second read.
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
        "messages": [shapes.message(one) for one in found],
        "total": row.messages,
        "limit": limit,
        "offset": offset,
    }
    return PageView(body, row.status in statuses.ENDED)


@attrs.frozen
class Filters:
    """What a list of runs is narrowed to; times in Unix milliseconds."""

    status: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    source: str | None = None
    search: str | None = None
    since: int | None = None
    nothing: bool = False


def run_list(
    connection: sa.Connection, filters: Filters, *, offset: int, limit: int, newest_first: bool
) -> Shape:
    """A page of the runs that the filters let through, with how many there are."""
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
    """When each agent was last run, by the agents' ids."""
    rows = connection.execute(
        sa.select(runs.c.agent_id, sa.func.max(runs.c.created_at)).group_by(runs.c.agent_id)
    )
    return {row[0]: row[1] for row in rows}


def unfinished(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """The agents that have runs which have not ended: id, name, how many."""
    rows = connection.execute(
        sa.select(runs.c.agent_id, sa.func.max(runs.c.agent_name), sa.func.count())
        .where(runs.c.status.not_in(statuses.ENDED))
        .group_by(runs.c.agent_id)
    )
    return [(agent_id, name, count) for agent_id, name, count in rows]


def accepted(connection: sa.Connection) -> list[tuple[str, int]]:
    """The runs whose turn may not have been started yet, with that turn."""
    rows = connection.execute(
        sa.select(runs.c.id, runs.c.turn).where(runs.c.status == statuses.PENDING)
    )
    return [(run_id, turn) for run_id, turn in rows]


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if filters.nothing:
        where.append(sa.false())
    if filters.status is not None:
        status = statuses.IN_FILTERS.get(filters.status, filters.status)
        where.append(runs.c.status == status)
    if filters.agent_id is not None:
        where.append(runs.c.agent_id == filters.agent_id)
    if filters.user_id is not None:
        where.append(runs.c.user_id == filters.user_id)
    if filters.source is not None:
        where.append(runs.c.source == filters.source)
    if filters.since is not None:
        where.append(runs.c.created_at >= filters.since)
    if filters.search:
        where.append(
            sa.or_(
                runs.c.title.icontains(filters.search, autoescape=True),
                runs.c.agent_name.icontains(filters.search, autoescape=True),
            )
        )
    return where


def _no_run() -> Refused:
    return Refused(404, "there is no such run, or it belongs to another team")
