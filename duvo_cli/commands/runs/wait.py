"""`duvo runs wait`: wait until a run has ended and print its answer."""

from __future__ import annotations

from argparse import Namespace

from ... import following
from ...client import client_of
from ...parser import RUN, Parser, identifier
from ...replying import options


def register(parser: Parser) -> None:
    parser.add_argument("run_id", type=identifier, metavar="RUN", help=RUN)
    options.add_options(parser)
    parser.timeout_help = following.TOTAL
    parser.explain(
        "Prints the answer of a run that completed. Exits with 0 if the run completed,\n"
        "4 if it failed, 5 if it was stopped, 6 if it waits for a human and nothing here\n"
        "can answer.",
        examples="""
duvo runs wait "$RUN_ID" --timeout 600 && echo done
duvo runs wait "$RUN_ID" --on-request approve
duvo runs wait "$RUN_ID" --json | jq -r .answer
""",
    )


def run(args: Namespace) -> int:
    options.check_options(args, "runs wait")
    deadline = following.deadline_after(args.timeout)
    with client_of(args, waits=True) as client:
        return following.wait(client, client.runs.find(args.run_id), args, deadline)
