"""A human request as lines of text, with the commands that answer it."""

from __future__ import annotations

from argparse import Namespace

import duvo

from .command_line import command_line
from .terminal import Paint, harmless, in_one_line


def lines(
    request: duvo.HumanRequest, args: Namespace, paint: Paint, *, prompted: bool = False
) -> list[str]:
    """Title, description, questions with keys and options, and commands that answer.

    A title that is the only question has its options below it. With `prompted`,
    options are numbered, and no commands are given: a prompt follows.
    """
    title = paint(in_one_line(request.title or request.type), "bold")
    description = harmless(request.description or "").splitlines()
    if [question.question for question in request.questions] == [request.title]:
        (question,) = request.questions
        parts = [title + _several(question), *description]
        parts += _options(question, paint, numbered=prompted)
    else:
        parts = [title, *description]
        for number, question in enumerate(request.questions, 1):
            key = paint(f"[{in_one_line(question.key)}]", "cyan")
            text = in_one_line(question.question) + _several(question)
            parts.append(f"{number}. {key} {text}")
            parts += _options(question, paint, numbered=prompted)
    if prompted and (request.questions or request.type == "approval"):
        return parts
    return parts + how_to_answer(request, args, paint)


def how_to_answer(request: duvo.HumanRequest, args: Namespace, paint: Paint) -> list[str]:
    """The commands that answer a request, or what answers it instead."""
    respond = ("runs", "respond", request.run_id or "RUN")
    if request.questions and _is_answered(request, getattr(args, "answer", None)):
        return [paint("answered by --answer", "dim")]
    if request.questions:
        answers = [
            word
            for question in request.questions
            for word in ("--answer", f"{in_one_line(question.key)}=…")
        ]
        return [_command("answer", command_line(args, *respond, *answers), paint)]
    if request.type == "approval" and getattr(args, "on_request", None) in ("approve", "deny"):
        return [paint(f"answered by --on-request {args.on_request}", "dim")]
    if request.type == "approval":
        return [
            _command("approve", command_line(args, *respond, "--approve"), paint),
            _command("deny", command_line(args, *respond, "--deny"), paint),
        ]
    return [f"requests of type {in_one_line(request.type)!r} can only be answered in the web app"]


def _is_answered(request: duvo.HumanRequest, answers: object) -> bool:
    """Whether `--answer` has one answer to each question, or several where they may be chosen."""
    # In `runs inbox`, --answer is a flag.
    texts = answers if isinstance(answers, list) else []
    for number, question in enumerate(request.questions, 1):
        names = {str(number), question.key, question.question, question.header, question.id}
        keys = [f"{name}=" for name in names if name]
        found = {text[len(key) :] for text in texts for key in keys if text.startswith(key)}
        if not found or (len(found) > 1 and not question.multi_select):
            return False
    return True


def _several(question: duvo.Question) -> str:
    return " (choose one or more, separated by commas)" if question.multi_select else ""


def _options(question: duvo.Question, paint: Paint, *, numbered: bool) -> list[str]:
    parts = []
    for place, option in enumerate(question.options, 1):
        mark = f"{place})" if numbered else "-"
        more = f": {in_one_line(option.description)}" if option.description else ""
        parts.append(f"   {mark} {in_one_line(option.label)}{paint(more, 'dim')}")
    return parts


def _command(verb: str, line: str, paint: Paint) -> str:
    return f"{paint(f'{verb}:', 'dim')} {line}"
