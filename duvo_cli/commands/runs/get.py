"""`duvo runs get`: show one run and its pending human request."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ...client import client_of
from ...output import details
from ...parser import RUN, Parser, identifier


def register(parser: Parser) -> None:
    parser.add_argument("run_id", type=identifier, metavar="RUN", help=RUN)
    parser.explain(
        examples="""
duvo runs get "$RUN_ID"
duvo runs get "$RUN_ID" --json | jq -r '.run.status'
"""
    )


def run(args: Namespace) -> int:
    with client_of(args) as client:
        found = client.runs.find(args.run_id).refresh()
    details.show(args, found.to_dict(), lambda: _lines(found, args))
    return 0


def _lines(found: duvo.Run, args: Namespace) -> list[str]:
    import sys

    from ...output import human_request, terminal
    from ...output.table import fields
    from ...output.times import duration, local

    lines = fields(
        [
            ("Run", found.id),
            ("Status", found.status),
            ("Agent", " ".join(part for part in (found.agent_name, found.agent_id) if part)),
            ("Revision", found.build_id or ""),
            ("Source", found.source or ""),
            ("Sandbox", found.sandbox_id or ""),
            ("Created", local(found.created_at)),
            ("Started", local(found.started_at)),
            ("Ended", local(found.completed_at)),
            ("Took", duration(found.started_at, found.completed_at)),
        ]
    )
    request = found.pending_request
    if request is not None:
        request_lines = human_request.lines(request, args, terminal.paint_for(sys.stdout))
        lines += ["", "Waiting for a human:", *(f"  {line}" for line in request_lines)]
    return lines
