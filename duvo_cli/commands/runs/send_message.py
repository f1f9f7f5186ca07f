"""`duvo runs send-message`: send a message to a run."""

from __future__ import annotations

from argparse import Namespace

from ...client import client_of
from ...input import text
from ...output import details, terminal
from ...output.command_line import command_line
from ...parser import RUN, Parser, identifier


def register(parser: Parser) -> None:
    parser.add_argument("run_id", type=identifier, metavar="RUN", help=RUN)
    parser.add_argument("--message", required=True, metavar="TEXT", help=text.HELP)
    parser.explain(
        "A run that completed, waits or was stopped continues with the message; one that\n"
        "failed does not.",
        examples="""
duvo runs send-message "$RUN_ID" --message "And the second invoice?"
git diff | duvo runs send-message "$RUN_ID" --message -
""",
    )


def run(args: Namespace) -> int:
    message_text = text.text_of(args.message)
    with client_of(args) as client:
        run = client.runs.find(args.run_id)
        message = run.send_message(message_text)
    sent = f"message {terminal.in_one_line(message.id)} sent to run {run.id}"
    details.show(args, {"message": message.to_dict()}, lambda: [sent])
    if not args.json:
        follow = command_line(args, "runs", "messages", run.id, "--follow")
        terminal.say(f"follow the run with `{follow}`")
    return 0
