"""`duvo runs inbox`: what waits for a human, across runs."""

from __future__ import annotations

import sys

from ...client import client_of
from ...output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import Client, Run

    from ...parser import Parser
    from ...replying.inbox import Tally
    from ...replying.prompt import Asker


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("--agent", metavar="AGENT", help="of this agent only: its id or exact name")
    parser.add_argument(
        "--answer", action="store_true", help="take them one after the other, here in the terminal"
    )
    parser.explain(
        "The oldest request first. With --answer, s or an empty line skips a request,\n"
        "and q or Ctrl-D leaves it and all that follow.",
        examples="""
duvo runs inbox
duvo runs inbox --answer --agent "Invoice approver"
duvo runs inbox --json | jq -r '.data[] | .pending_human_request.title + " " + .run.id'
""",
        notes='With --json, it prints {"data": [{"run": …, "pending_human_request": …}, …],\n'
        '"total": …}, and with --answer {"answered": [human requests], "left": [runs]}.',
    )


def run(args: argparse.Namespace) -> int:
    """Show them, or ask about each; returns the exit code."""
    if args.answer:
        from ...replying.prompt import check_terminal

        check_terminal("--answer", "`duvo runs inbox` shows the commands that answer")
    with client_of(args) as client:
        return _answer(client, args) if args.answer else _show(client, args)


def _show(client: Client, args: argparse.Namespace) -> int:
    from ...output.status_line import StatusLine

    found: list[Run] = []
    with StatusLine(lambda: "looking for what waits"):
        for one in client.runs.inbox(args.agent):
            found.append(one)
            if not args.json:
                terminal.write("\n".join([*([""] if len(found) > 1 else []), *_lines(one, args)]))
    if args.json:
        from ...output import json

        data = [one.to_dict() for one in found]
        json.print_document({"data": data, "total": len(data)})
    elif not found:
        terminal.write("nothing waits for a human")
    return 0


def _lines(one: Run, args: argparse.Namespace) -> list[str]:
    from ...replying import inbox

    request = one.pending_request
    assert request is not None
    return inbox.lines(one, request, args, terminal.paint_for(sys.stdout))


def _answer(client: Client, args: argparse.Namespace) -> int:
    from ...output import json
    from ...replying import inbox, typed
    from ...replying.prompt import Asker

    tally = inbox.Tally()
    asker = Asker(client, args, None, shows=True, one_of_many=True)
    terminal.say("s or an empty line skips a request, q or Ctrl-D quits")
    try:
        for one in client.runs.inbox(args.agent):
            _ask_about(one, asker, tally, args)
    except typed.Quit:
        terminal.write_aside([""])
    finally:
        # What was answered is told, whatever stopped the rest.
        if args.json:
            json.print_document(tally.document())
        terminal.say(tally.summary("answered"))
    return 0


def _ask_about(one: Run, asker: Asker, tally: Tally, args: argparse.Namespace) -> None:
    from ...replying import inbox, options, typed

    request = one.pending_request
    # It was read before the ones before it were thought about.
    if request is None or not inbox.is_pending(one, request):
        tally.too_late += 1
        return
    terminal.write_aside(["", inbox.heading(one, request, terminal.paint_for(sys.stderr))])
    if not inbox.can_be_answered(request):
        options.show(request, args)
        tally.left.append(one)
        return
    try:
        decision = asker(request)
    except (typed.Skipped, typed.Quit) as end:
        tally.left.append(one)
        if isinstance(end, typed.Quit):
            raise
        return
    # The asker gives up only when somebody else has answered, and has said so.
    reply = None if decision is None else inbox.reply(one, request, decision)
    if reply is not None:
        tally.answered.append(reply)
        return
    tally.too_late += 1
    if decision is not None:
        terminal.say("somebody else has answered")
