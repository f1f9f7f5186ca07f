"""`duvo runs messages`: show or follow a run's conversation."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ... import following, reader
from ...client import client_of
from ...errors import UsageError
from ...output import json
from ...parser import ONE_REQUEST, RUN, Parser, count, identifier
from ...replying import options


def register(parser: Parser) -> None:
    parser.add_argument("run_id", type=identifier, metavar="RUN", help=RUN)
    parser.add_argument("--follow", action="store_true", help="continue until the run ends")
    parser.add_argument("--limit", type=count, metavar="N", help="at most N messages")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "--after", type=identifier, metavar="ID", help="begin after the message with this id"
    )
    begin.add_argument("--offset", type=count, metavar="N", help="skip the first N messages")
    begin.add_argument("--tail", type=count, metavar="N", help="begin with the last N messages")
    parser.add_argument(
        "--exit-status",
        action="store_true",
        help="with --follow: exit with 4 if the run failed, 5 if it was stopped",
    )
    options.add_options(parser)
    parser.timeout_help = f"with --follow, {following.TOTAL}; otherwise {ONE_REQUEST}"
    parser.explain(
        "Shows the whole conversation, or the part chosen by --limit, --after, --offset or\n"
        "--tail. A pending human request comes last. After Ctrl-C, the command that continues\n"
        "the conversation is shown.",
        examples="""
duvo runs messages "$RUN_ID" --tail 5
duvo runs messages "$RUN_ID" --follow
duvo runs messages "$RUN_ID" --follow --after "$MESSAGE_ID"
duvo runs messages "$RUN_ID" --json | jq -r '.messages[] | select(.role=="assistant") | .content'
""",
    )


def run(args: Namespace) -> int:
    if args.follow and args.limit is not None:
        raise UsageError("--limit does not go with --follow; --tail N does", "runs messages")
    options.check_options(args, "runs messages", waits=args.follow)
    begin = {"after": args.after, "offset": args.offset or 0, "last": args.tail}
    deadline = following.deadline_after(args.timeout)
    with client_of(args, waits=args.follow) as client:
        limit = deadline if args.follow else None
        (handle,) = following.find(client, [args.run_id], args, limit)
        if args.follow:
            return following.follow(client, handle, args, deadline, **begin)
        messages = handle.messages(limit=args.limit, **begin)
        if args.json:
            _print_document(messages, args)
        else:
            from ...output import conversation

            show = conversation.printer(args)
            with reader.needed(messages):
                for message in messages:
                    show(message)
    return 0


def _print_document(messages: duvo.Messages, args: Namespace) -> None:
    shown = list(messages)
    counted = [message for message in shown if not message.is_pending_request]
    json.print_document(
        {
            "messages": [message.to_dict() for message in shown],
            "total": messages.total,
            "limit": len(counted) if args.limit is None else args.limit,
            "offset": messages.offset,
        }
    )
