"""`duvo runs send-message`: post a message to a run."""

from __future__ import annotations

from ...client import client_of, command_line
from ...input import text
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ...parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_id", metavar="RUN", help="the run's id")
    parser.add_argument("--message", required=True, metavar="TEXT", help=text.HELP)
    parser.explain(
        "A run that completed, waits or was stopped goes on with it; one that failed\ndoes not.",
        examples="""
duvo runs send-message "$RUN_ID" --message "And the second invoice?"
git diff | duvo runs send-message "$RUN_ID" --message -
""",
    )


def run(args: argparse.Namespace) -> int:
    """Post it; returns the exit code."""
    message_text = text.text_of(args.message)
    with client_of(args) as client:
        message = client.runs.run(args.run_id).send_message(message_text)
    if args.json:
        from ...output import json

        json.print_document({"message": message.to_dict()})
    else:
        terminal.write(f"message {terminal.in_one_line(message.id)} sent to run {args.run_id}")
        again = command_line(args, "runs", "messages", args.run_id, "--follow")
        terminal.say(f"follow the run with `{again}`")
    return 0
