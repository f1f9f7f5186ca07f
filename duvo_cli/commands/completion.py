"""`duvo completion`: print a shell completion script."""

from __future__ import annotations

from argparse import Namespace

from ..parser import Parser


def register(parser: Parser) -> None:
    parser.add_argument(
        "shell",
        choices=("bash", "zsh", "fish", "tcsh"),
        metavar="SHELL",
        help="bash, zsh, fish or tcsh",
    )
    parser.explain(
        "Needs the extra `completion`. Run ids, agent names and profile names are looked\n"
        "up when Tab is pressed, silently and for at most one second.",
        examples="""
duvo completion bash > ~/.local/share/bash-completion/completions/duvo
duvo completion zsh > "${fpath[1]}/_duvo"
duvo completion fish > ~/.config/fish/completions/duvo.fish
""",
    )


def run(args: Namespace) -> int:
    from ..help import completion

    print(completion.script(args.shell))
    return 0
