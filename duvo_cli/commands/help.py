"""`duvo help`: explain a command or a topic."""

from __future__ import annotations

from argparse import Namespace

from ..errors import UsageError
from ..help import overview
from ..parser import Parser, parser_of
from ..registry import COMMANDS, GROUPS


def register(parser: Parser) -> None:
    topics = " or ".join(overview.TOPICS)
    parser.add_argument("topic", nargs="*", metavar="TOPIC", help=f"a command, {topics}")
    parser.explain(examples="duvo help exit-codes\nduvo help environment\nduvo help runs start")


def run(args: Namespace) -> int:
    topic = " ".join(args.topic)
    if not topic:
        text = overview.overview()
    elif topic in overview.TOPICS:
        text = overview.TOPICS[topic]
    elif topic in GROUPS:
        text = overview.group_overview(topic)
    elif topic in COMMANDS:
        text = parser_of(topic).format_help()
    else:
        raise UsageError(f"unknown command or topic {topic!r}", "help")
    print(text, end="")
    return 0
