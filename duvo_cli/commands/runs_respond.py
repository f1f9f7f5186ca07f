"""`duvo runs respond`: answer what a run asks a human for."""

from __future__ import annotations

from .. import terminal
from ..client import client_of
from ..replies import key_and_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Reply

    from ..parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_id", metavar="RUN", help="the run's id")
    parser.add_argument(
        "request_id", nargs="?", metavar="REQUEST", help="answer only if this request is pending"
    )
    reply = parser.add_mutually_exclusive_group(required=True)
    reply.add_argument("--approve", action="store_const", const=True, help="approve")
    reply.add_argument(
        "--deny", action="store_const", const=False, dest="approve", help="do not approve"
    )
    reply.add_argument(
        "--answer",
        action="append",
        type=key_and_text,
        metavar="KEY=TEXT",
        help="answer the question of that key, text or number; once for each question",
    )
    parser.explain(
        "The run is read first: a reply that does not fit is not sent, and what is\n"
        "pending is told instead.",
        examples="""
duvo runs respond "$RUN_ID" --approve
duvo runs respond "$RUN_ID" --answer "Cost centre=A" --answer "2=next week"
""",
    )


def run(args: argparse.Namespace) -> int:
    """Send the reply; returns the exit code."""
    with client_of(args) as client:
        handle = client.runs.run(args.run_id)
        reply = handle.respond(args.approve, answers=args.answer, request_id=args.request_id)
    if args.json:
        from .. import json_output

        json_output.print_document({"human_request": reply.raw})
    else:
        terminal.write(_line(reply, args))
    return 0


def _line(reply: Reply, args: argparse.Namespace) -> str:
    done = {True: "approved", False: "denied", None: "answered"}[args.approve]
    return f"{done}: {terminal.in_one_line(reply.title or reply.id)}"
