"""Generate docs/cli.md, the reference of the command, from its parsers.

python docs/reference.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"

sys.path.insert(0, str(ROOT))

from duvo_cli.help.overview import TOPICS  # noqa: E402
from duvo_cli.parser import ONE_REQUEST, parser_of  # noqa: E402
from duvo_cli.registry import GROUPS, commands_of  # noqa: E402

_COMMON_TITLE = "options of every command"

_HEAD = """\
# The command

This page is generated from the command by `python docs/reference.py`. `duvo --help`,
`duvo COMMAND --help` and `man duvo` have the same content.

Options may come before or after the command's name. `--json` prints the API's JSON,
with the documented names added (see [our JSON beside the API's](json.md)).
"""


def reference() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| options of every command | |"
    yield "|---|---|"
    yield from _rows(dict(_sections(parser_of("whoami")))[_COMMON_TITLE])
    yield ""
    for group, about in {**GROUPS, "": "everything else"}.items():
        yield f"## {f'duvo {group}' if group else 'Others'}: {about}"
        yield ""
        for word in commands_of(group):
            yield from _command(f"{group} {word}".strip())
    for topic in TOPICS.values():
        title, _, text = topic.partition("\n")
        yield f"## {title}\n\n```text\n{text.strip(chr(10))}\n```\n"


def _command(command: str) -> Iterator[str]:
    parser = parser_of(command)
    sections = _sections(parser)
    actions = [action for _, actions in sections for action in actions]
    positionals = [action for action in actions if not action.option_strings]
    words = " ".join(["duvo", command, *map(_positional, positionals)])
    if command == "dev":
        words += " [-- COMMAND …]"
    yield f"### `{words}`"
    yield ""
    yield parser.description or ""
    yield ""
    rows = [row for title, actions in sections for row in _group(title, actions)]
    if rows:
        yield from ["| | |", "|---|---|", *rows, ""]
    if parser.epilog:
        for part in parser.epilog.split("\n\n"):
            title, _, text = part.partition("\n")
            if title == "examples:":
                yield "```text\n" + "\n".join(line[2:] for line in text.splitlines()) + "\n```"
            else:
                yield part
            yield ""


def _sections(parser: argparse.ArgumentParser) -> list[tuple[str, list[argparse.Action]]]:
    # argparse has no public way to list the groups of a parser.
    return [(group.title or "", group._group_actions) for group in parser._action_groups]


def _group(title: str, actions: list[argparse.Action]) -> Iterator[str]:
    if title == _COMMON_TITLE:
        actions = [
            action for action in actions if action.dest == "timeout" and action.help != ONE_REQUEST
        ]
    yield from _rows(actions)


def _rows(actions: list[argparse.Action]) -> Iterator[str]:
    for action in actions:
        if "--help" in action.option_strings:
            continue
        names = ", ".join(_option(action)) or _positional(action)
        required = " (required)" if action.required and action.option_strings else ""
        text = (action.help or "").replace("|", "\\|")
        yield f"| `{names}`{required} | {text} |"


def _option(action: argparse.Action) -> list[str]:
    if action.nargs == 0:
        return list(action.option_strings)
    choices = "|".join(map(str, action.choices or ()))
    value = str(action.metavar or choices).replace("|", "\\|")
    return [f"{name} {value}" for name in action.option_strings]


def _positional(action: argparse.Action) -> str:
    name = str(action.metavar)
    return {None: name, "?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} …"}[action.nargs]  # type: ignore[index]


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
