"""`duvo runs respond`: answer a run's human request, or all approvals of an agent."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ...client import client_of
from ...errors import UsageError
from ...input import text
from ...output import details, json, terminal
from ...output.command_line import command_line
from ...parser import RUN, Parser, identifier
from ...replying import inbox
from ...replying.options import key_and_text

_VERBS = {True: "approved", False: "denied", None: "answered"}


def register(parser: Parser) -> None:
    parser.add_argument("run_id", nargs="?", type=identifier, metavar="RUN", help=RUN)
    parser.add_argument(
        "request_id",
        nargs="?",
        type=identifier,
        metavar="REQUEST",
        help="answer only if this request is pending",
    )
    reply = parser.add_mutually_exclusive_group(required=True)
    reply.add_argument("--approve", action="store_const", const=True, help="approve")
    reply.add_argument("--deny", action="store_const", const=False, dest="approve", help="deny")
    reply.add_argument(
        "--answer",
        action="append",
        type=key_and_text,
        metavar="KEY=TEXT",
        help="answer the question with this key, text or number; again for each question, or "
        f"choice where several may be chosen; {text.ALSO}",
    )
    many = parser.add_argument_group("instead of RUN")
    many.add_argument(
        "--all-pending", action="store_true", help="answer every pending approval of --agent"
    )
    many.add_argument("--agent", type=identifier, metavar="AGENT", help="the agent's id or name")
    parser.explain(
        "Reads the run first: a reply that does not fit is not sent, and the error\n"
        "describes the pending request. --all-pending, for trusted pipelines, leaves\n"
        "questions, and types of requests that are newer than this command; it reports\n"
        "on stderr how many requests were answered and left.",
        examples="""
duvo runs respond "$RUN_ID" --approve
duvo runs respond "$RUN_ID" --answer "Cost centre=A" --answer "2=next week"
duvo runs respond --all-pending --agent "Invoice approver" --approve
""",
        notes='With --json, --all-pending prints {"answered": [human requests], "left": [runs]}.',
    )


def run(args: Namespace) -> int:
    _check(args)
    with client_of(args) as client:
        if args.all_pending:
            return _respond_to_all(client, args)
        handle = client.runs.find(args.run_id)
        reply = handle.respond(args.approve, answers=args.answer, request_id=args.request_id)
    details.show(args, {"human_request": reply.raw}, lambda: [_line(reply, args)])
    return 0


def _check(args: Namespace) -> None:
    problem = None
    if not args.all_pending:
        if args.agent is not None:
            problem = "--agent goes with --all-pending"
        elif args.run_id is None:
            problem = "give RUN, or --all-pending with --agent"
    elif args.run_id is not None:
        problem = "--all-pending does not go with RUN"
    elif args.agent is None:
        problem = "--all-pending needs --agent"
    elif args.answer:
        problem = "--all-pending goes with --approve or --deny; it leaves questions"
    if problem:
        raise UsageError(problem, "runs respond")


def _respond_to_all(client: duvo.Client, args: Namespace) -> int:
    tally = inbox.Tally()
    try:
        for run in tally.count(client.runs.inbox(args.agent)):
            _respond_if_approval(run, tally, args)
    except (duvo.DuvoError, KeyboardInterrupt):
        if tally.answered:
            _show_tally(tally, args)
        raise
    _show_tally(tally, args)
    return 0


def _show_tally(tally: inbox.Tally, args: Namespace) -> None:
    if args.json:
        json.print_document(tally.document())
    show = command_line(args, "runs", "inbox", "--agent", args.agent)
    terminal.say(tally.summary(_VERBS[args.approve], f"not approvals; `{show}` shows them"))


def _respond_if_approval(run: duvo.Run, tally: inbox.Tally, args: Namespace) -> None:
    request = run.pending_request
    if request is None or request.type != "approval" or request.questions:
        return
    reply = inbox.send_reply(run, request, args.approve)
    tally.record(run, reply)
    if reply is not None and not args.json:
        terminal.write(f"{_line(reply, args)} (run {run.id})")


def _line(reply: duvo.Reply, args: Namespace) -> str:
    return f"{_VERBS[args.approve]}: {terminal.in_one_line(reply.title or reply.id)}"
