"""`duvo runs get`: show one run and its pending human request."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from datetime import datetime, timezone

import duvo

from ...client import client_of, each_run
from ...output import details
from ...parser import RUN, Parser, identifier


def register(parser: Parser) -> None:
    parser.add_argument("run_ids", nargs="+", type=identifier, metavar="RUN", help=RUN)
    parser.explain(
        examples="""
duvo runs get "$RUN_ID"
duvo runs get "$RUN_ID" "$ANOTHER" --jq .run.status
duvo runs get "$RUN_ID" --json | jq -r '.run.status'
"""
    )


def run(args: Namespace) -> int:
    with client_of(args) as client:
        return each_run(client, args, _show)


def _show(client: duvo.Client, found: duvo.Run, args: Namespace) -> int:
    if args.json:
        found.refresh()
    else:
        # One look, which reads the answer of a run that has ended as well.
        try:
            # A pending request is shown below, and not logged.
            with contextlib.suppress(duvo.HumanRequestPending):
                found.wait(timeout=0, on_request="raise")
        except duvo.WaitTimeout as error:
            if not error.was_read:
                raise (error.__cause__ or error) from None
    gap = [""] if len(args.run_ids) > 1 else []
    document = found.to_dict()
    details.show_each(args, len(args.run_ids), document, lambda: _lines(client, found, args) + gap)
    return 0


def _lines(client: duvo.Client, found: duvo.Run, args: Namespace) -> list[str]:
    import sys

    from ...output import human_request, terminal
    from ...output.table import fields
    from ...output.times import duration, local

    took_until = found.completed_at if found.is_finished else datetime.now(timezone.utc)
    lines = fields(
        [
            ("Run", found.id),
            ("Status", found.status),
            ("Agent", _agent(client, found)),
            ("Revision", found.build_id or ""),
            ("Source", found.source or ""),
            ("Sandbox", found.sandbox_id or ""),
            ("Created", local(found.created_at)),
            ("Started", local(found.started_at)),
            ("Ended", local(found.completed_at)),
            ("Duration", duration(found.started_at, took_until)),
        ]
    )
    if found.is_finished:
        lines += _end(found)
    request = found.pending_request
    if request is not None:
        request_lines = human_request.lines(request, args, terminal.paint_for(sys.stdout))
        lines += ["", "Waiting for a human:", *(f"  {line}" for line in request_lines)]
    return lines


def _agent(client: duvo.Client, found: duvo.Run) -> str:
    name = found.agent_name
    if name is None and found.agent_id:
        with contextlib.suppress(duvo.DuvoError):
            name = client.agents.get(found.agent_id).name
    return " ".join(part for part in (name, found.agent_id) if part)


def _end(found: duvo.Run) -> list[str]:
    """The answer and the failure of a run that has ended, as far as they are known."""
    from ...output import terminal
    from ...output.run_end import if_known

    lines = []
    for title, name in (("Answer:", "answer"), ("Failure:", "failure")):
        if text := if_known(found, name):
            lines += ["", title, *(f"  {line}" for line in terminal.harmless(text).splitlines())]
    return lines
