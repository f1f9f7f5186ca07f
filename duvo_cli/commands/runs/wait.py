"""`duvo runs wait`: wait until a run has ended, and print its answer."""

from __future__ import annotations

from ... import following
from ...client import client_of
from ...replying import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_id", metavar="RUN", help="the run's id")
    options.add_options(parser)
    parser.timeout_help = following.TOTAL
    parser.explain(
        "Prints the run's last text when it completed. The exit code tells how it ended:\n"
        "0 completed, 4 failed, 5 stopped, 6 nothing here may answer what it asks.",
        examples="""
duvo runs wait "$RUN_ID" --timeout 600 && echo done
duvo runs wait "$RUN_ID" --on-request approve
duvo runs wait "$RUN_ID" --json | jq -r .answer
""",
    )


def run(args: argparse.Namespace) -> int:
    """Wait; returns the exit code."""
    options.check_options(args, "runs wait")
    patience = following.Patience(args.timeout)
    with client_of(args, waits=True) as client:
        return following.wait(client, client.runs.run(args.run_id), args, patience)
