"""What a run asks a human for, and the commands that answer it, as lines."""

from __future__ import annotations

from ..client import command_line
from .terminal import harmless, in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo import HumanRequest, Question

    from .terminal import Paint


def lines(request: HumanRequest, args: argparse.Namespace, paint: Paint) -> list[str]:
    """The request in full: title, description, questions with keys and options, and how to answer.

    Args:
        request: what is pending.
        args: the command line, whose settings the commands repeat.
        paint: what colours text.
    """
    told = [paint(in_one_line(request.title or request.type), "bold")]
    told += harmless(request.description or "").splitlines()
    for number, question in enumerate(request.questions, 1):
        told += _question(number, question, paint)
    return told + how_to_answer(request, args, paint)


def how_to_answer(request: HumanRequest, args: argparse.Namespace, paint: Paint) -> list[str]:
    """The commands that answer the request, one a line."""
    respond = ("runs", "respond", request.run_id or "RUN")
    if request.questions:
        answers = [
            word for one in request.questions for word in ("--answer", f"{in_one_line(one.key)}=…")
        ]
        return [_command("answer", command_line(args, *respond, *answers), paint)]
    if request.type == "approval" and getattr(args, "on_request", None) in ("approve", "deny"):
        return [paint(f"--on-request {args.on_request} replies", "dim")]
    if request.type == "approval":
        return [
            _command("approve", command_line(args, *respond, "--approve"), paint),
            _command("deny", command_line(args, *respond, "--deny"), paint),
        ]
    return [f"a request of the type {in_one_line(request.type)!r} is answered in the web app"]


def _question(number: int, question: Question, paint: Paint) -> list[str]:
    key = in_one_line(question.key)
    several = " (several may be chosen, joined by commas)" if question.multi_select else ""
    told = [f"{number}. {paint(f'[{key}]', 'cyan')} {in_one_line(question.question)}{several}"]
    for option in question.options:
        more = f": {in_one_line(option.description)}" if option.description else ""
        told.append(f"   - {in_one_line(option.label)}{paint(more, 'dim')}")
    return told


def _command(what: str, line: str, paint: Paint) -> str:
    return f"{paint(f'{what}:', 'dim')} {line}"
