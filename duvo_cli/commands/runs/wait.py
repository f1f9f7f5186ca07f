"""`duvo runs wait`: wait until a run has ended and print its answer."""

from __future__ import annotations

from argparse import Namespace

from ... import following
from ...client import client_of
from ...parser import RUN, Parser, identifier
from ...replying import options


def register(parser: Parser) -> None:
    parser.add_argument("run_ids", nargs="+", type=identifier, metavar="RUN", help=RUN)
    options.add_options(parser)
    parser.timeout_help = following.TOTAL
    parser.explain(
        "Prints the answer of a run that completed. Exits with 0 if the run completed,\n"
        "4 if it failed, 5 if it was stopped, 6 if it waits for a human and nothing here\n"
        "can answer. Of several runs, each is printed when it ends, and the first of 4, 6 and\n"
        "5 that applies to any is the exit code.",
        examples="""
duvo runs wait "$RUN_ID" --timeout 600 && echo done
duvo runs wait "$RUN_ID" --on-request approve
duvo runs wait "$RUN_ID" --jq .answer
duvo runs wait "$RUN_ID" "$ANOTHER" --json
""",
    )


def run(args: Namespace) -> int:
    options.check_options(args, "runs wait")
    deadline = following.deadline_after(args.timeout)
    with client_of(args, waits=True) as client:
        runs = following.find(client, args.run_ids, args, deadline)
        if len(runs) == 1:
            return following.wait(client, runs[0], args, deadline)
        return following.wait_for_all(client, runs, args, deadline)
