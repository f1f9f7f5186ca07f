"""`duvo runs start`: start a run, and optionally follow it or wait for it."""

from __future__ import annotations

from argparse import Namespace

import duvo

from ... import following
from ...client import client_of
from ...errors import Interrupted
from ...input import text
from ...output import json, terminal
from ...output.command_line import command_line
from ...parser import ONE_REQUEST, Parser, identifier
from ...replying import options
from ...time_limit import ends_at


def register(parser: Parser) -> None:
    parser.add_argument(
        "--agent",
        required=True,
        type=identifier,
        metavar="AGENT",
        help="the agent's id or name",
    )
    parser.add_argument("--message", metavar="TEXT", help=text.HELP)
    parser.add_argument(
        "--sandbox-id", type=identifier, metavar="ID", help="a sandbox whose files the run gets"
    )
    parser.add_argument("--webhook-url", metavar="URL", help="a URL that receives the run's events")
    then = parser.add_mutually_exclusive_group()
    then.add_argument(
        "--follow", action="store_true", help="show the conversation until the run ends"
    )
    then.add_argument(
        "--wait", action="store_true", help="wait until the run ends, and print its answer alone"
    )
    then.add_argument(
        "-q", "--quiet", action="store_true", dest="ids_only", help="print the run's id alone"
    )
    parser.add_argument(
        "--exit-status",
        action="store_true",
        help="with --follow: exit with 4 if the run failed, 5 if it was stopped",
    )
    options.add_options(parser)
    parser.timeout_help = f"with --follow or --wait, {following.TOTAL}; otherwise {ONE_REQUEST}"
    parser.explain(
        examples="""
duvo runs start --agent "Invoice approver" --follow
duvo runs start --agent "$AGENT_ID" --message @task.txt --wait --timeout 600
duvo runs start --agent "$AGENT_ID" --wait --on-request approve --answer "Region=EU"
RUN_ID=$(duvo runs start --agent "$AGENT_ID" -q)
""",
        notes="With --json, --follow prints one JSON object per line, and --wait prints\n"
        '{"run": …, "answer": …, "failure": …}.',
    )


def run(args: Namespace) -> int:
    waits = args.follow or args.wait
    options.check_options(args, "runs start", waits=waits)
    message = None if args.message is None else text.text_of(args.message)
    deadline = following.deadline_after(args.timeout)
    with client_of(args, waits=waits) as client:
        started = _start(client, args, message, deadline if waits else None)
        if args.wait:
            return following.wait(client, started, args, deadline)
        _show_start(started, args)
        return following.follow(client, started, args, deadline) if args.follow else 0


def _start(
    client: duvo.Client, args: Namespace, message: str | None, deadline: float | None
) -> duvo.Run:
    recent = command_line(args, "runs", "list", "--agent", args.agent, "--since", "5m")
    late = f"the start has not ended within {args.timeout or 0:g} s"
    try:
        with ends_at(deadline, f"{late}; `{recent}` shows whether the run was started"):
            return client.runs.start(
                args.agent,
                message=message,
                sandbox_id=args.sandbox_id,
                webhook_url=args.webhook_url,
            )
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; `{recent}` shows whether the run was started") from None


def _show_start(started: duvo.Run, args: Namespace) -> None:
    if args.json:
        show = json.print_line if args.follow else json.print_document
        show(started.to_dict())
        return
    if args.ids_only:
        terminal.write(started.id)
        return
    terminal.write(f"run {started.id} {started.status}")
    if not args.follow:
        follow = command_line(args, "runs", "messages", started.id, "--follow")
        terminal.say(f"follow it with `{follow}`")
