"""`duvo runs respond`: answer what a run asks a human for, or all approvals of an agent."""

from __future__ import annotations

from ...client import client_of, command_line
from ...errors import UsageError
from ...output import terminal
from ...replying.options import key_and_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Client, Reply, Run

    from ...parser import Parser
    from ...replying.inbox import Tally

_DONE = {True: "approved", False: "denied", None: "answered"}


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("run_id", nargs="?", metavar="RUN", help="the run's id")
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
    many = parser.add_argument_group("in place of RUN")
    many.add_argument(
        "--all-pending", action="store_true", help="every approval that is pending for --agent"
    )
    many.add_argument("--agent", metavar="AGENT", help="the agent's id or exact name")
    parser.explain(
        "The run is read first: a reply that does not fit is not sent, and what is\n"
        "pending is told instead. --all-pending, for pipelines that are trusted, leaves\n"
        "questions and kinds of requests that are newer than this command; how many were\n"
        "answered and left is told on stderr.",
        examples="""
duvo runs respond "$RUN_ID" --approve
duvo runs respond "$RUN_ID" --answer "Cost centre=A" --answer "2=next week"
duvo runs respond --all-pending --agent "Invoice approver" --approve
""",
        notes='With --json, --all-pending prints {"answered": [human requests], "left": [runs]}.',
    )


def run(args: argparse.Namespace) -> int:
    """Send the reply; returns the exit code."""
    _check(args)
    with client_of(args) as client:
        if args.all_pending:
            return _respond_to_all(client, args)
        handle = client.runs.run(args.run_id)
        reply = handle.respond(args.approve, answers=args.answer, request_id=args.request_id)
    if args.json:
        from ...output import json

        json.print_document({"human_request": reply.raw})
    else:
        terminal.write(_line(reply, args))
    return 0


def _check(args: argparse.Namespace) -> None:
    wrong = None
    if not args.all_pending:
        if args.agent is not None:
            wrong = "--agent goes with --all-pending"
        elif args.run_id is None:
            wrong = "give RUN, or --all-pending with --agent"
    elif args.run_id is not None:
        wrong = "--all-pending does not go with RUN"
    elif args.agent is None:
        wrong = "--all-pending needs --agent"
    elif args.answer:
        wrong = "--all-pending takes --approve or --deny, and leaves questions"
    if wrong:
        raise UsageError(f"runs respond: {wrong}", "runs respond")


def _respond_to_all(client: Client, args: argparse.Namespace) -> int:
    import duvo

    from ...replying.inbox import Tally

    tally = Tally()
    try:
        for one in client.runs.inbox(args.agent):
            _respond_if_approval(one, tally, args)
    except (duvo.DuvoError, KeyboardInterrupt):
        if tally.answered:
            _tell(tally, args)
        raise
    _tell(tally, args)
    return 0


def _tell(tally: Tally, args: argparse.Namespace) -> None:
    if args.json:
        from ...output import json

        json.print_document(tally.document())
    show = command_line(args, "runs", "inbox", "--agent", args.agent)
    terminal.say(tally.summary(_DONE[args.approve], f"no approvals; `{show}` shows them"))


def _respond_if_approval(one: Run, tally: Tally, args: argparse.Namespace) -> None:
    from ...replying import inbox

    request = one.pending_request
    if request is None or request.type != "approval" or request.questions:
        tally.left.append(one)
        return
    reply = inbox.reply(one, request, args.approve)
    if reply is None:
        tally.too_late += 1
        return
    tally.answered.append(reply)
    if not args.json:
        terminal.write(f"{_line(reply, args)} (run {one.id})")


def _line(reply: Reply, args: argparse.Namespace) -> str:
    return f"{_DONE[args.approve]}: {terminal.in_one_line(reply.title or reply.id)}"
