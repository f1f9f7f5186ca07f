"""`duvo runs inbox`: show or answer pending human requests, across runs."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import suppress

import duvo

from ... import reader
from ...client import client_of
from ...output import json, terminal
from ...output.live import StatusLine
from ...output.times import add_period
from ...parser import Parser, identifier
from ...replying import inbox, options, typed
from ...replying.prompt import Prompt, check_terminal


def register(parser: Parser) -> None:
    parser.add_argument(
        "--agent",
        type=identifier,
        metavar="AGENT",
        help="requests of this agent only: its id or name",
    )
    add_period(parser, "of runs ")
    parser.add_argument(
        "--answer", action="store_true", help="prompt for an answer to each in this terminal"
    )
    parser.explain(
        "Shows the oldest request first. With --answer, s or an empty line skips a\n"
        "request, and q or Ctrl-D leaves it and all that follow; in quotation marks,\n"
        '"s" and "q" are answers.',
        examples="""
duvo runs inbox
duvo runs inbox --answer --agent "Invoice approver"
duvo runs inbox --json | jq -r '.data[] | .pending_human_request.title + " " + .run.id'
""",
        notes='With --json, prints {"data": [{"run": …, "pending_human_request": …}, …],\n'
        '"total": …}; with --answer, {"answered": [human requests], "left": [runs]}.',
    )


def run(args: Namespace) -> int:
    if args.answer:
        check_terminal("--answer", "`duvo runs inbox` shows the commands that answer")
    with client_of(args) as client:
        return _answer(client, args) if args.answer else _show(client, args)


def _show(client: duvo.Client, args: Namespace) -> int:
    found: list[duvo.Run] = []
    paint = terminal.paint_for(sys.stdout)
    waiting = client.runs.inbox(args.agent, args.since, args.until)
    with StatusLine(lambda: "looking for human requests"), reader.needed(waiting):
        for run in waiting:
            found.append(run)
            if not args.json:
                gap = [""] if len(found) > 1 else []
                terminal.write("\n".join([*gap, *inbox.lines(run, args, paint)]))
    if args.json:
        data = [run.to_dict() for run in found]
        json.print_document({"data": data, "total": len(data)})
    elif not found:
        terminal.say("no pending human requests")
    return 0


def _answer(client: duvo.Client, args: Namespace) -> int:
    tally = inbox.Tally()
    prompt = Prompt(client, args, None, shows=True, can_leave=True)
    terminal.say('s or an empty line skips a request, q or Ctrl-D quits ("s" or "q" is text)')
    waiting = client.runs.inbox(args.agent, args.since, args.until)
    try:
        for run in tally.count(waiting):
            _ask_about(run, prompt, tally, args)
    except (typed.Quit, KeyboardInterrupt) as end:
        terminal.write_aside([""])
        # The answers were sent, whatever happens now.
        with suppress(duvo.DuvoError), StatusLine(lambda: "reading the requests that are left"):
            for _ in tally.count(waiting):
                pass
        if isinstance(end, KeyboardInterrupt):
            raise
    finally:
        # Report the answers that were sent, however the loop ends.
        if args.json:
            json.print_document(tally.document())
        terminal.say(tally.summary("answered"))
    return 0


def _ask_about(run: duvo.Run, prompt: Prompt, tally: inbox.Tally, args: Namespace) -> None:
    request = run.pending_request
    # The run was read before the previous prompts, which may have taken long.
    if request is None or not inbox.is_pending(run, request):
        tally.record(run, None)
        return
    terminal.write_aside(["", inbox.heading(run, request, terminal.paint_for(sys.stderr))])
    if not inbox.can_be_answered(request):
        options.show(request, args)
        return
    try:
        choice = prompt(request)
    except typed.Skipped:
        return
    # Without a deadline the prompt gives up only on requests answered elsewhere, and says so.
    reply = None if choice is None else inbox.send_reply(run, request, choice)
    tally.record(run, reply)
    if reply is None and choice is not None:
        terminal.say("the request was answered elsewhere")
